/* What the C files that every POSIX platform has do for each other. */
#ifndef SPEEDCOPY_CORE_H
#define SPEEDCOPY_CORE_H

#include "posix.h"

/* open.c: opens src, then dst, or refuses what the standard library refuses. Return as sc_copy. */
int sc_open_src(sc_job *job);
int sc_open_dst(sc_job *job);

/* open.c: a descriptor for openat alone, or -1. */
int sc_open_directory(const char *path);

/* dst.c: opens dst once more, with O_TRUNC, and goes back to offset 0. 0 or -1. */
int sc_reopen_plainly(sc_job *job);

/* dst.c: truncates dst to 0, also after a declined clone. 0 or -errno. */
int sc_empty(sc_job *job);

/* table.c: tries the mechanisms that make dst, and once it is open the others. 0 or -errno. */
int sc_run_table(sc_job *job);

/* table.c: moves the rest by the last mechanism alone. 0 or -errno. */
int sc_run_last(sc_job *job);

/* rounds.c: moves the rest by one mechanism, in rounds. 0 or -errno. */
int sc_in_rounds(sc_job *job, const sc_mechanism *mechanism);

/* metadata.c: copies the metadata that the flags ask for. Returns what sc_copy returns. */
int sc_copy_metadata(sc_job *job);

/* ticks.c: nanoseconds of CLOCK_MONOTONIC. sc_start_clock also plans the first tick. */
int64_t sc_now(void);
int64_t sc_start_clock(sc_job *job);

/* ticks.c: after a round, calls sc_tick if it is due. Returns the time after that call. */
int64_t sc_tick_in_time(sc_job *job, int64_t now, int is_short);

/* ticks.c: with SC_TELL_END, calls sc_tick at the end. Not 0: the copy has to stop. */
int sc_final_tick(sc_job *job);

/* ticks.c: calls sc_tick between two copies, if it is time. Not 0: no other copy may begin. */
int sc_tick_between(void *caller, int64_t *next_tick);

#endif
