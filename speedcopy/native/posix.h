/* What posix.c and the mechanisms of a POSIX platform share. Python never sees it. */
#ifndef SPEEDCOPY_POSIX_H
#define SPEEDCOPY_POSIX_H

#include <stddef.h>
#include <sys/stat.h>

#include "speedcopy.h"

/* One copy on its way. Both files stand at `copied`; mechanisms in rounds move both. */
typedef struct {
    const char *src;
    const char *dst;
    int src_fd;
    int dst_fd;
    struct stat src_st;
    struct stat dst_st; /* of a new file only the type, and before the first of rounds the device */
    int64_t size;       /* bytes of src when it was opened; 0 also for pseudo files */
    int64_t copied;     /* bytes */
    int64_t dst_size;   /* bytes dst may hold now, by what was done to it */
    int64_t data_end;   /* where the data around `copied` ends, if holes are looked for */
    int64_t next_tick;  /* nanoseconds of CLOCK_MONOTONIC, 0 before the first clock reading */
    int64_t sent;       /* where writing dst out from the page cache has begun */
    int64_t arrived;    /* and where it has ended; -1 if nobody has to wait for that */
    int flags;
    int created;   /* dst did not exist */
    int touched;   /* dst has been written to or cut */
    int cancelled; /* sc_tick said stop */
    int lost;      /* dst lacks some of what was copied, which no other row brings back */
    int holes;     /* holes are looked for */
    void *caller;
    char *buffer;
    size_t buffer_size;
    sc_report *report;
} sc_job;

/*
 * A row of a platform's table. `copy` makes one system call and returns the bytes it moved,
 * 0 if the call succeeded and moved nothing, or -errno. It knows nothing of the other rows.
 */
typedef struct {
    const char *name;
    int64_t (*copy)(sc_job *job, int64_t length);
    int (*applies)(const sc_job *job); /* NULL: to every pair of regular files */
    int (*declines)(int code);         /* does this errno mean "not here"? */
    int traits;
} sc_mechanism;

enum {
    SC_WHOLE_FILE = 1, /* one call copies all, files' positions unused; otherwise in rounds */
    SC_CLONES = 2,     /* success shares extents and nothing else is success */
    SC_MAY_CLONE = 4,  /* the file system or the server may share extents */
    SC_ANY_FILE = 8    /* devices and pseudo files too; the end of src is its success */
};

/* The platform's file. The last row is SC_ANY_FILE and ends with a row of NULLs. */
extern const sc_mechanism sc_mechanisms[];

/* Can SEEK_HOLE be asked of this file for less than a round trip, and be believed? */
int sc_holes_known(int fd);

/*
 * After a round: starts writing it out, if the close of dst would wait for that, and waits for the
 * round before. 0, or -errno of what did not arrive.
 */
int sc_write_out(sc_job *job);

/* rounds.c and read_write.c: predicates, the row that every platform ends with, what rows need. */
int sc_declines_always(int code);
int sc_declines_unless_full(int code);
int sc_declines_never(int code);
int64_t sc_read_write(sc_job *job, int64_t length);
int sc_is_declined(const sc_job *job, int64_t (*copy)(sc_job *job, int64_t length));

#endif
