/* Files by handle: which file one is, its attributes, removing it, cutting it. */
#ifndef SPEEDCOPY_FILES_H
#define SPEEDCOPY_FILES_H

#include <windows.h>

#include "speedcopy.h"

/* INVALID_HANDLE_VALUE if it cannot be opened; GetLastError() tells why. */
HANDLE sc_open_file(const sc_char *path, DWORD access);

/* Nothing for INVALID_HANDLE_VALUE. */
void sc_close_file(HANDLE file);

/* 0 also where one of the two does not say which file it is. */
int sc_is_same_file(HANDLE a, HANDLE b);

/* Has b the size of a and the time of its last write? */
int sc_is_copy(HANDLE a, HANDLE b);

/*
 * Another handle on `file`, which is or was found under `path`. INVALID_HANDLE_VALUE if there is
 * none for that very file.
 */
HANDLE sc_open_again(HANDLE file, const sc_char *path, DWORD access);

/* As sc_open_again, for sc_set_attributes. */
HANDLE sc_open_for_attributes(HANDLE file, const sc_char *path);

/* Sets the attributes, and the time of the last write to now. */
void sc_set_attributes(HANDLE file, DWORD attributes);

/* Removes `file`, which has been found under `path`. */
void sc_remove(HANDLE file, const sc_char *path);

/* Cuts `file`, which has been found under `path`. */
void sc_truncate(HANDLE file, const sc_char *path, int64_t size);

#endif
