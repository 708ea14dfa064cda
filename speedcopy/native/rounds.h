/* What posix.c asks of rounds.c. */
#ifndef SPEEDCOPY_ROUNDS_H
#define SPEEDCOPY_ROUNDS_H

#include "posix.h"

/* Lets the first mechanism that can move the bytes. 0 or -errno. */
int sc_run_table(sc_job *job);

/* Gives dst this size, in bytes. 0 or -errno. */
int sc_cut(sc_job *job, int64_t size);

/* After EINTR: runs the signal handlers. Not 0: one of them raised. */
int sc_interrupted(sc_job *job);

/* Tells progress that all is copied. Not 0: it raised. */
int sc_final_tick(sc_job *job);

#endif
