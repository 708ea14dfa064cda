/* Copying many files between two directories, for C and for Python. */
#ifndef SPEEDCOPY_DIRECTORIES_H
#define SPEEDCOPY_DIRECTORIES_H

#include <stdint.h>

#include "speedcopy.h"

/*
 * Two open directories. While src is open, no other file system gets its device number, as one
 * would soon after an unmount.
 */
typedef struct {
    int32_t src;
    int32_t dst;
    uint64_t exact; /* the device of src if the sizes of its files are never stale, or 0 */
} sc_directories;

/* Finds out `exact`. */
void sc_look_at_directories(sc_directories *directories);

/* Does what sc_copy does. src and dst are names in the two directories. */
int sc_copy_between(const sc_directories *directories, const sc_char *src, const sc_char *dst,
                    int flags, void *caller, sc_report *report);

#endif
