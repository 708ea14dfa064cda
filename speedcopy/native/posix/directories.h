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

/* How far sc_copy_names has come. sc_tick may read it. */
typedef struct {
    int64_t copied; /* bytes of the files that are done */
    int32_t done;   /* how many these are */
    sc_report last; /* of the last copy, or of the one that failed */
} sc_batch;

/*
 * Copies files from one directory to the other under the same names, as sc_copy does. `names` are
 * `count` names, each with a NUL behind it. Ends at the first copy that does not return 0, and
 * returns what that has returned.
 */
int sc_copy_names(void *caller, const sc_directories *directories, const sc_char *names, int count,
                  int flags, sc_batch *batch);

#endif
