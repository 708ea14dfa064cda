/* Copying many files from one directory to another, for C and for Python. */
#ifndef SPEEDCOPY_DIRECTORIES_H
#define SPEEDCOPY_DIRECTORIES_H

#include <stdint.h>

#include "speedcopy.h"

/* How far sc_copy_names has come. sc_tick may read it. */
typedef struct {
    int64_t copied; /* bytes of the files that are done */
    int32_t done;   /* how many these are */
    sc_report last; /* of the last copy, or of the one that failed */
} sc_batch;

/*
 * Copies files from the directory src to the directory dst under the same names, as sc_copy does.
 * `names` are `count` names, each with a NUL behind it. Ends at the first copy that does not return
 * 0, and returns what that has returned; SC_LEAVE_IT if a directory cannot be opened.
 */
int sc_copy_names(void *caller, const sc_char *src, const sc_char *dst, const sc_char *names,
                  int count, int flags, sc_batch *batch);

#endif
