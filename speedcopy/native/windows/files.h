/* Files by handle: comparing, setting attributes, removing, truncating. */
#ifndef SPEEDCOPY_FILES_H
#define SPEEDCOPY_FILES_H

#include <windows.h>

#include "speedcopy.h"

/* INVALID_HANDLE_VALUE if the file cannot be opened; GetLastError() has the reason. */
HANDLE sc_open_file(const sc_char *path, DWORD access);

/* Does nothing for INVALID_HANDLE_VALUE. */
void sc_close_file(HANDLE file);

/* Also 0 if a file's number is unknown. */
int sc_is_same_file(HANDLE a, HANDLE b);

/* Do both files have the same size and the same time of the last write? */
int sc_is_copy(HANDLE a, HANDLE b);

/*
 * Another handle of `file`, which has or had the name `path`. INVALID_HANDLE_VALUE if that very
 * file cannot be opened.
 */
HANDLE sc_open_again(HANDLE file, const sc_char *path, DWORD access);

/* As sc_open_again, with the access that sc_set_attributes needs. */
HANDLE sc_open_for_attributes(HANDLE file, const sc_char *path);

/* Sets the attributes, and sets the time of the last write to now. */
void sc_set_attributes(HANDLE file, DWORD attributes);

/* Removes `file`, which has or had the name `path`. */
void sc_remove(HANDLE file, const sc_char *path);

/* Truncates `file`, which has or had the name `path`, to `size` bytes. */
void sc_truncate(HANDLE file, const sc_char *path, int64_t size);

#endif
