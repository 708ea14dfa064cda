/*
 * What the files of a POSIX platform share. Python never sees it.
 *
 * posix.c makes a copy: it opens (open.c), runs the table (rounds.c), finishes or undoes. The
 * platform's own file (linux.c) has the table and the few answers that no other file knows.
 */
#ifndef SPEEDCOPY_POSIX_H
#define SPEEDCOPY_POSIX_H

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#include "speedcopy.h"

#define SC_MIB ((int64_t)1 << 20)

/* One copy on its way. */
typedef struct {
    /* what the caller said */
    const char *src;
    const char *dst;
    int flags;
    void *caller;
    sc_report *report;

    /* the two files as they were opened (open.c). Mechanisms in rounds move both along */
    int dir; /* what a relative name is relative to, whoever changes the directory meanwhile */
    int src_fd;
    int dst_fd;
    struct stat src_st; /* mode 0 if it could not be looked at: then no mechanism but the last */
    struct stat dst_st; /* the same; its size is what dst had before, 0 once it is emptied */
    int created;        /* by this copy: O_EXCL succeeded */
    int plain;          /* opened as the standard library opens it */

    /* how far the copy is */
    int64_t size;    /* bytes of src as far as known; 0 for pseudo files, too */
    int64_t copied;  /* bytes: where both files stand */
    int64_t written; /* bytes: where dst ends; less than `copied` behind a hole */
    int in_place;    /* dst has its old content */
    int touched;     /* dst is no longer what it was */
    int lost;        /* dst lacks some of what was copied, which no other row brings back */
    int cancelled;   /* sc_tick said stop */
    int forked;      /* this is a child process, and the copy is its parent's */

    /* rounds.c */
    int holes;           /* they are looked for */
    int64_t data_end;    /* where the data around `copied` ends, if they are */
    int64_t next_tick;   /* nanoseconds of CLOCK_MONOTONIC, 0 before the first clock reading */
    int64_t quiet_until; /* until then a call that was cut short runs no signal handlers */

    /* the platform's sc_write_back: what has reached the disk or the server */
    int64_t sent;    /* where writing back has begun */
    int64_t arrived; /* and where it has ended; -1 if nobody has to wait for that */

    /* read_write.c */
    char *buffer;
    size_t buffer_size;
} sc_job;

/*
 * A row of a platform's table. `copy` makes one system call and returns the bytes it moved,
 * 0 if the call succeeded and moved nothing, or -errno. It knows nothing of the other rows.
 */
typedef struct {
    const char *name;
    int64_t (*copy)(sc_job *job, int64_t length);
    int (*applies)(const sc_job *job); /* NULL: to every pair of regular files */
    int traits;
} sc_mechanism;

enum {
    SC_WHOLE_FILE = 1, /* one call copies all, files' positions unused; otherwise in rounds */
    SC_CLONES = 2,     /* success shares extents and nothing else is success */
    SC_MAY_CLONE = 4,  /* the file system or the server may share extents */
    SC_ANY_FILE = 8    /* devices and pseudo files too; the end of src is its success */
};

/*
 * What a platform's file defines.
 */

/* Fastest first. The last row is SC_ANY_FILE, and behind it is a row of NULLs. */
extern const sc_mechanism sc_mechanisms[];

/* Is src where one request may copy all of it, so that a dst beside it is not emptied first? */
int sc_may_copy_in_place(const sc_job *job);

/* May a clone of src replace what dst has? Changes nothing that dst has. 0 or -errno. */
int sc_try_clone(sc_job *job);

/* Can SEEK_HOLE be asked of this file for less than a round trip, and be believed? */
int sc_holes_known(sc_job *job, int fd);

/* Opens a file once more for writing, emptied, by its descriptor. A descriptor, or -1. */
int sc_open_again(int fd);

/* dst is empty now: errors of earlier writes to it are not of this copy. */
void sc_forget_errors(const sc_job *job);

/*
 * After a round: starts writing it back, if the close of dst would wait for that, and waits for
 * the round before. 0, or -errno of what did not arrive; dst is right up to `arrived` then.
 */
int sc_write_back(sc_job *job);

/*
 * What the platform's file may use.
 */

/* The row that every platform ends with. */
int64_t sc_read_write(sc_job *job, int64_t length);

/* After EINTR: runs the signal handlers. Not 0: one of them raised. */
int sc_interrupted(sc_job *job);

/* How often a call that cleans up is repeated, if signals interrupt it. */
enum { SC_MOST_TRIES = 1000 };

/* Repeats a call that a signal has interrupted, unless the signal's handler raised. */
#define SC_REPEAT(job, result, call)                                                               \
    do                                                                                             \
        (result) = (call);                                                                         \
    while ((result) < 0 && errno == EINTR && !sc_interrupted(job))

/*
 * What open.c, table.c and rounds.c do for each other and for posix.c.
 */

/* Opens both files, or refuses what the standard library refuses. As sc_copy returns it. */
int sc_open(sc_job *job);

/* Opens dst as the standard library does, which empties it. As sc_copy returns it. */
int sc_open_plainly(sc_job *job);

/* Lets the first mechanism that can move the bytes. 0 or -errno. */
int sc_run_table(sc_job *job);

/* Lets the last mechanism move them. 0 or -errno. */
int sc_run_last(sc_job *job);

/* Lets one mechanism move what is left, in rounds. 0 or -errno. */
int sc_in_rounds(sc_job *job, const sc_mechanism *mechanism);

/* Gives dst this size, in bytes, whatever signal handlers raise meanwhile. 0 or -errno. */
int sc_truncate(sc_job *job, int64_t size);

/* Tells the callback that all is copied. Not 0: it raised. */
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
