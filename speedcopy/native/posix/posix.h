/*
 * What the files of a POSIX platform share. Python never sees it.
 *
 * copy.c       one copy: open, run the table, finish or undo, close
 * open.c       opens both files, refuses what may not be copied, empties and closes
 * table.c      the rule: which row is asked, and what its refusal means
 * rounds.c     one row in rounds: their length, and holes
 * ticks.c      the calls back into Python
 * read_write.c the row that every table ends with
 *
 * The platform's own file has the table and the answers that only it knows: "What a platform's file
 * defines" below lists them. On Linux these are linux.c (the table), linux_files.c (file systems
 * and flushing) and linux_clone.c (reflink="always").
 */
#ifndef SPEEDCOPY_POSIX_H
#define SPEEDCOPY_POSIX_H

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#include "speedcopy.h"

#define SC_MIB ((int64_t)1 << 20)
#define SC_MILLISECOND ((int64_t)1000000) /* in nanoseconds */
#define SC_TICK (SC_TICK_MS * SC_MILLISECOND)

/* One copy. Each group of fields names the file that sets it. */
typedef struct {
    /* copy.c: what the caller wants */
    const char *src;
    const char *dst;
    int flags;
    void *caller;
    sc_report *report;

    /* open.c: the two files. A mechanism that works in rounds advances the position of both */
    int dir; /* what a relative name is relative to, whoever changes the directory meanwhile */
    int src_fd;
    int dst_fd;
    struct stat src_st; /* zeros if it could not be looked up: then only the last row is asked */
    struct stat dst_st; /* the same; its size is 0 once dst is emptied */
    int created;        /* this copy created dst: O_EXCL succeeded */
    int plain;          /* dst was opened as the standard library opens it */
    int in_place;       /* dst still has its old content */

    /* rounds.c and table.c: the progress of the copy, by sc_moved() where bytes have been moved */
    int64_t size;    /* bytes of src as far as known; 0 for pseudo files, too */
    int64_t copied;  /* bytes: the position in both files */
    int64_t written; /* bytes: where dst ends; less than `copied` behind a hole */
    int touched;     /* dst is no longer what it was */
    int lost;        /* dst lacks some of what was copied, and no other row can restore it */

    /* rounds.c */
    int holes;        /* they are looked for */
    int64_t data_end; /* where the data around `copied` ends, if they are */

    /* ticks.c */
    int cancelled;       /* sc_tick returned "stop" */
    int forked;          /* this is a child process; the copy belongs to its parent */
    int64_t next_tick;   /* nanoseconds of CLOCK_MONOTONIC, 0 before the first reading */
    int64_t quiet_until; /* until then a short call does not run the signal handlers */

    /* the platform's sc_write_back: bytes of dst that have reached the disk or the server */
    int64_t sent;    /* where writing back has begun */
    int64_t arrived; /* where it has ended; -1 if close does not have to wait for it */

    /* read_write.c */
    char *buffer;
    size_t buffer_size;
} sc_job;

/*
 * A row of a platform's table. `copy` makes one system call and returns the bytes it moved,
 * 0 if the call succeeded and moved nothing, or -errno. It does not know the other rows.
 */
typedef struct {
    const char *name;
    int64_t (*copy)(sc_job *job, int64_t length);
    int (*applies)(const sc_job *job); /* NULL: to every pair of regular files */
    int traits;
} sc_mechanism;

enum {
    SC_WHOLE_FILE = 1, /* one call copies all, at the files' positions 0; otherwise in rounds */
    SC_CLONES = 2,     /* success means shared extents and nothing else */
    SC_MAY_CLONE = 4,  /* the file system or the server may share extents */
    SC_ANY_FILE = 8    /* devices and pseudo files too; reaching the end of src is success */
};

/*
 * What a platform's file defines.
 */

/* Fastest first. The last row is SC_ANY_FILE, and a row of NULLs follows it. */
extern const sc_mechanism sc_mechanisms[];

/* Does src lie where one request may copy all of it, so that a dst beside it is not emptied? */
int sc_may_copy_in_place(const sc_job *job);

/* May a clone of src replace the content of dst? Does not change that content. 0 or -errno. */
int sc_try_clone(sc_job *job);

/* Does SEEK_HOLE on this file cost less than a round trip, and is its answer true? */
int sc_holes_known(sc_job *job, int fd);

/* Opens a file once more for writing, emptied, by its descriptor. A descriptor, or -1. */
int sc_open_again(int fd);

/* dst is empty now: forgets the errors of earlier writes to it, which are not of this copy. */
void sc_forget_errors(const sc_job *job);

/*
 * After a round: starts writing it back if the close of dst would wait for that, and waits for
 * the round before. 0, or -errno of what did not arrive; dst is right up to `arrived` then.
 */
int sc_write_back(sc_job *job);

/*
 * What a platform's file may use.
 */

/* The row that every table ends with. */
int64_t sc_read_write(sc_job *job, int64_t length);

/* After EINTR: runs the signal handlers. Not 0: one of them raised. */
int sc_interrupted(sc_job *job);

/* How often a call that cleans up is repeated if signals interrupt it. */
enum { SC_MOST_TRIES = 1000 };

/* Repeats a call that a signal has interrupted, unless the signal's handler raised. */
#define SC_REPEAT(job, result, call)                                                               \
    do                                                                                             \
        (result) = (call);                                                                         \
    while ((result) < 0 && errno == EINTR && !sc_interrupted(job))

/* dst has so many bytes of src more. */
static inline void sc_moved(sc_job *job, int64_t bytes)
{
    job->copied += bytes;
    job->written = job->copied;
    job->touched |= bytes > 0;
}

/*
 * What the other files do for each other.
 */

/* open.c: opens both files, or refuses what the standard library refuses. As sc_copy returns. */
int sc_open(sc_job *job);

/* open.c: opens dst once more, emptied, and starts at its beginning. 0 or -1. */
int sc_reopen_plainly(sc_job *job);

/* open.c: removes the content of dst, old or what a refused clone has left. 0 or -errno. */
int sc_empty(sc_job *job);

/* open.c: gives dst this size, in bytes, even after a signal handler has raised. 0 or -errno. */
int sc_truncate(sc_job *job, int64_t size);

/* open.c: closes a descriptor, if it is one, and makes it -1. 0 or -errno. */
int sc_close(int *fd);

/* table.c: lets the first mechanism that can move the bytes. 0 or -errno. */
int sc_run_table(sc_job *job);

/* table.c: lets the last mechanism move them. 0 or -errno. */
int sc_run_last(sc_job *job);

/* rounds.c: lets one mechanism move what is left, in rounds. 0 or -errno. */
int sc_in_rounds(sc_job *job, const sc_mechanism *mechanism);

/* ticks.c: nanoseconds of CLOCK_MONOTONIC; the first call of sc_start_clock plans the first tick */
int64_t sc_now(void);
int64_t sc_start_clock(sc_job *job);

/* ticks.c: after a round, calls back if it is time. Returns the time after that. */
int64_t sc_tick_in_time(sc_job *job, int64_t now, int is_short);

/* ticks.c: calls back once more at the end. Not 0: the callback raised. */
int sc_final_tick(sc_job *job);

static inline int sc_failure(int code, int place)
{
    return -(code | place);
}

static inline int sc_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

#endif
