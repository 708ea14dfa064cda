/* What posix.c asks of open.c. */
#ifndef SPEEDCOPY_OPEN_H
#define SPEEDCOPY_OPEN_H

#include "posix.h"

/* Opens both files, or refuses what the standard library refuses. As sc_copy returns it. */
int sc_open(sc_job *job);

static inline int sc_failure(int code, int place)
{
    return -(code | place);
}

static inline int sc_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

#endif
