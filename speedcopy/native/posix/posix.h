/*
 * What the C files of a POSIX platform share. Python does not see this header.
 *
 * copy.c       one copy: open, run the table, finish or undo, close
 * open.c       opens both files, refuses what may not be copied
 * dst.c        dst: the mode of a new one; truncated, opened again, closed
 * table.c      the rule: which row is tried, and what its errno means
 * rounds.c     runs one row in rounds: the length of a round, and holes
 * ticks.c      the calls back into Python
 * read_write.c the row that every table ends with
 * metadata.c   times, extended attributes and mode, once all data is written
 *
 * The section "What a platform's file defines" below lists the rest. On Linux it is in linux.c (the
 * table), linux_files.c (file systems, writing back, extended attributes) and linux_clone.c
 * (reflink="always"). defaults.c has it for systems with little of their own.
 */
#ifndef SPEEDCOPY_POSIX_H
#define SPEEDCOPY_POSIX_H

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#ifndef ENODATA /* FreeBSD has another name for it */
#define ENODATA ENOATTR
#endif
#ifdef __APPLE__ /* POSIX has other names for these since 2008 */
#define st_atim st_atimespec
#define st_mtim st_mtimespec
#endif

#include "directories.h"
#include "speedcopy.h"

#define SC_MIB ((int64_t)1 << 20)
#define SC_MILLISECOND ((int64_t)1000000) /* in nanoseconds */
#define SC_TICK (SC_TICK_MS * SC_MILLISECOND)

/* One copy. Each group of fields names the files that set it. */
typedef struct {
    /* copy.c: what the caller wants */
    const char *src;
    const char *dst;
    int flags;
    void *caller;
    sc_report *report;
    const sc_directories *directories; /* or NULL */

    /*
     * open.c: the two files. A mechanism that works in rounds advances both file positions. copy.c
     * looks dst up, or opens it, once more if a copy has failed.
     */
    int here;    /* the working directory when the copy began, or AT_FDCWD */
    int src_dir; /* relative names start in these two */
    int dst_dir;
    int src_fd;
    int dst_fd;
    struct stat src_st; /* st_mode is 0 if fstat failed: then only the last row is tried */
    struct stat dst_st; /* the same; st_size is 0 once dst has been truncated to 0 */
    int created;        /* this copy created dst: O_EXCL or SC_MAKES_DST succeeded */
    int plain;          /* dst was opened as the standard library opens it */
    int in_place;       /* dst still has its old content */

    /*
     * All files: the progress of the copy. sc_moved() adds the bytes that a call has moved. dst.c
     * starts again at 0, and copy.c corrects the numbers at the end.
     */
    int exact;       /* the size that src's file system states is never stale */
    int ended;       /* the last row has found the end of src */
    int64_t size;    /* bytes of src, as far as known; also 0 for pseudo files */
    int64_t copied;  /* bytes: the offset that the copy has reached */
    int64_t written; /* bytes: where dst ends; less than `copied` after a hole */
    int touched;     /* the content of dst may have changed */
    int lost;        /* copied data is missing in dst, and no other row can restore it */

    /* rounds.c; table.c decides whether holes are looked for, dst.c ends that */
    int holes;        /* look for holes */
    int64_t data_end; /* if so: where the data at `copied` ends */

    /* ticks.c */
    int cancelled;       /* sc_tick returned "stop" */
    int forked;          /* this is a child process; the copy belongs to its parent */
    int64_t next_tick;   /* nanoseconds of CLOCK_MONOTONIC, 0 until the clock was read */
    int64_t quiet_until; /* until then, signal handlers do not run after a short copy */

    /* the platform's sc_write_back: offsets in dst, in bytes */
    int64_t sent;    /* up to here, write-back has been started */
    int64_t arrived; /* up to here, write-back has ended; -1 if close does not wait */

    /* read_write.c */
    char *buffer;
    size_t buffer_size;
} sc_job;

/*
 * A row of a platform's table. `copy` makes one call that copies. It returns the bytes moved, 0 if
 * the call succeeded and moved nothing, or -errno. It does not know the other rows.
 */
typedef struct {
    const char *name;
    int64_t (*copy)(sc_job *job, int64_t length);
    int (*applies)(const sc_job *job); /* NULL: the row applies to every pair of regular files */
    int traits;
} sc_mechanism;

enum {
    SC_WHOLE_FILE = 1, /* one call copies the whole file, from offset 0; otherwise in rounds */
    SC_CLONES = 2,     /* always shares extents, or fails */
    SC_MAY_CLONE = 4,  /* the file system or the server may share extents */
    SC_ANY_FILE = 8,   /* also copies devices and pseudo files; the end of src is success */
    SC_NEW_FILE = 16,  /* copies only to a dst that this copy has created, and replaces it */
    SC_MAKES_DST = 32  /* is tried before dst is opened: makes it, and sets what open.c sets */
};

/*
 * What a platform's file defines.
 */

/* Fastest first. The last mechanism is SC_ANY_FILE. A row of NULLs ends the table. */
extern const sc_mechanism sc_mechanisms[];

/*
 * Is src where one request may copy all of it (SMB)? Then an existing dst on the same device is
 * opened without O_TRUNC.
 */
int sc_may_copy_in_place(const sc_job *job);

/* Can a clone of src replace the content of dst? Leaves that content as it is. 0 or -errno. */
int sc_try_clone(sc_job *job);

/* Is SEEK_HOLE on this file correct, and answered without a request? */
int sc_holes_known(sc_job *job, int fd);

/* Opens the file of a descriptor once more for writing, with O_TRUNC. A descriptor, or -1. */
int sc_open_again(int fd);

/* dst is empty now: clears the errors of earlier writes to it, which are not of this copy. */
void sc_forget_errors(const sc_job *job);

/*
 * After a round, if closing dst would wait for write-back: starts to write this round back, and
 * waits for the round before it. 0, or -errno if that round failed; dst is then correct up to
 * `arrived`.
 */
int sc_write_back(sc_job *job);

/* The names of a file's extended attributes, each with a NUL behind it. Bytes, or -1 and errno. */
ssize_t sc_list_xattrs(int fd, char *names, size_t size);

/* The value of one, in bytes, or -1 and errno. */
ssize_t sc_get_xattr(int fd, const char *name, char *value, size_t size);

/* 0, or -1 and errno. */
int sc_set_xattr(int fd, const char *name, const char *value, size_t size);

/* The most that either of these takes or returns. */
enum { SC_LONGEST_XATTR = 0x10000 };

/* Copies the flags of chflags(2), which SC_COPY_XATTRS includes. 0, or -1 and errno. */
int sc_copy_flags(const sc_job *job);

/*
 * What a platform's file may use.
 */

/* The mode with which a new dst is created; the umask applies to it. */
mode_t sc_mode_of_new(const sc_job *job);

/* The row that every table ends with. */
int64_t sc_read_write(sc_job *job, int64_t length);

/* After EINTR: runs the signal handlers. Not 0: one of them raised, and the copy has to stop. */
int sc_interrupted(sc_job *job);

/* For the clean-up: repeats after EINTR, but not for ever, so that no server can hang it. */
enum { SC_MOST_TRIES = 1000 };
#define SC_INSIST(result, call)                                                                    \
    for (int tries = SC_MOST_TRIES; ((result) = (call)) < 0 && errno == EINTR && tries > 0; tries--)

/* Repeats a call that a signal has interrupted, unless the signal handler raised. */
#define SC_REPEAT(job, result, call)                                                               \
    do                                                                                             \
        (result) = (call);                                                                         \
    while ((result) < 0 && errno == EINTR && !sc_interrupted(job))

/* A call has moved so many more bytes. */
static inline void sc_moved(sc_job *job, int64_t bytes)
{
    job->copied += bytes;
    job->written = job->copied;
    job->touched |= bytes > 0;
}

/*
 * What the other files do for each other.
 */

/* open.c: opens src, then dst, or refuses what the standard library refuses. Return as sc_copy. */
int sc_open_src(sc_job *job);
int sc_open_dst(sc_job *job);

/* dst.c: opens dst once more, with O_TRUNC, and goes back to offset 0. 0 or -1. */
int sc_reopen_plainly(sc_job *job);

/* dst.c: truncates dst to 0, also after a declined clone. 0 or -errno. */
int sc_empty(sc_job *job);

/* dst.c: truncates dst to this size, even after a signal handler has raised. 0 or -errno. */
int sc_truncate(sc_job *job, int64_t size);

/* dst.c: closes a descriptor unless it is -1, and sets it to -1. 0 or -errno. */
int sc_close(int *fd);

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

/* ticks.c: calls sc_tick between two copies. Not 0: no other copy may begin. */
int sc_tick_between(void *caller);

static inline int sc_failure(int code, int place)
{
    return -(code | place);
}

static inline int sc_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

#endif
