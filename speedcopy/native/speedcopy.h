/*
 * The contract between the native layer and Python.
 *
 * This header is read twice: by the C compiler, and by build_ffi.py, which makes the cffi
 * declarations from it. Nothing is declared anywhere else.
 *
 * sc_copy() does one whole copy: it opens both files, checks their types, tries the mechanisms
 * of the platform's table in order until one has moved the bytes, and closes both files. No
 * descriptor stays open, no memory stays allocated. A mechanism that cannot move the bytes is
 * *declined* with its errno, and the next mechanism continues at the byte that was reached.
 *
 * With SC_COPY_MODE, SC_COPY_TIMES and SC_COPY_XATTRS, dst then gets the metadata of src as from
 * shutil.copystat.
 *
 * sc_copy() returns 0, or the negated sum of a code and a place. The code is an errno (Windows: a
 * Win32 code), or a value of sc_code; the place is a value of sc_place. After a failed copy, src is
 * unchanged, a dst that this call created is removed, and an existing dst that was written to is
 * truncated to the bytes that had been copied. Refused metadata is an error, too, but all data is
 * copied then, and dst stays.
 */
#ifndef SPEEDCOPY_H
#define SPEEDCOPY_H

#include <stdint.h>

/* The unit of a path in the system's encoding; build_ffi.py defines SC_CHAR. */
typedef SC_CHAR sc_char;

/* Bits of `flags`: what the caller wants. */
enum sc_flag {
    SC_REFLINK_ALWAYS = 1, /* clone, or fail with EOPNOTSUPP where that is impossible */
    SC_REFLINK_NEVER = 2,  /* share no extents, not even if the server chooses to */
    SC_KEEP_HOLES = 4,     /* dst may have holes or be a clone; without it, write all */
    SC_TELL_END = 8,       /* call sc_tick once more at the end of the copy */
    SC_COPY_MODE = 16,     /* on Windows no metadata is copied */
    SC_COPY_TIMES = 32,
    SC_BEST_EFFORT = 64,       /* refused metadata is reported, but is not an error */
    SC_STRICT_ACCESS = 128,    /* EACCES for an extended attribute is an error */
    SC_SKIP_ROW = 0x100,       /* shifted left by the number of a row: do not try that row */
    SC_NAME_IS_FREE = 0x20000, /* the caller has made the directory of dst: no O_EXCL */
    SC_SRC_IS_FILE = 0x10000,  /* the caller has checked that src is a regular file */
    SC_COPY_XATTRS = 0x40000,  /* extended attributes; an ACL is one of them */
    SC_AS_CP = 0x80000,        /* a new dst has the mode that GNU cp gives it */
    SC_ONE_NAME = 0x100000,    /* fail with SC_OTHER_NAME if dst is a link, or a file with more */
    SC_SERVER_COPY = 0x200000  /* macOS: an SMB server may copy to a new dst */
};

/* Which file an error is about. */
enum sc_place {
    SC_AT_NONE = 0, /* of the times of dst; os.utime names no file before Python 3.13 */
    SC_AT_SRC = 0x10000,
    SC_AT_DST = 0x20000,
    SC_AT_BOTH = 0x30000,
    SC_LEAVE_IT = 0x40000 /* no error: Python makes or refuses the copy (_plain.py) */
};

/* Codes for what has no errno. They are greater than every errno. */
enum sc_code {
    SC_SAME_FILE = 0x7001,
    SC_NAMED_PIPE = 0x7002,
    SC_CHARACTER_DEVICE = 0x7003, /* as src: reading it may never end */
    SC_NO_DATA = 0x7004,          /* in `declined`: the call succeeded and moved nothing */
    SC_STOPPED = 0x7005,          /* sc_tick returned "stop" */
    SC_OTHER_NAME = 0x7006        /* dst may be written by another name, too: nothing was done */
};

/* The copies that Python makes alone have the same values (_plain.py; a test compares them). */
enum sc_limit {
    SC_MAX_MECHANISMS = 8,
    SC_TICK_MS = 50,              /* milliseconds: the least time between two progress reports */
    SC_SMALLEST_BUFFER = 0x10000, /* bytes: the least that is allocated */
    SC_LARGEST_BUFFER = 0x100000  /* above the default wsize of any server, fits a cache */
};

/* Metadata that a file system may refuse. */
enum sc_attribute { SC_TIMES = 0, SC_XATTRS = 1, SC_PERMISSIONS = 2, SC_ATTRIBUTES = 3 };

/* How the copy was made. The caller owns the struct. Rows are counted from 0, fastest first. */
typedef struct {
    int64_t copied;                      /* bytes of dst that are bytes of src */
    int32_t mechanism;                   /* the row that moved the last byte, -1 if none did */
    int32_t offloaded;                   /* 1: bypassed this machine, 0: did not, -1: unknown */
    int32_t declined[SC_MAX_MECHANISMS]; /* by row: the code with which it declined, or 0 */
    int32_t refused[SC_ATTRIBUTES];      /* by sc_attribute: the first errno, or 0 */
} sc_report;

/*
 * Copies src to dst, two NUL-terminated paths. `caller` is passed to sc_tick. `report`
 * may be NULL. Python calls this without holding its lock.
 */
int sc_copy(void *caller, const sc_char *src, const sc_char *dst, int flags, sc_report *report);

/* The name of a row of the table, NULL past its end. */
const char *sc_mechanism_name(int row);

/* Marks a function that Python defines and C calls; build_ffi.py makes it extern "Python+C". */
#define SC_PYTHON extern

/*
 * Called during long copies, at most every SC_TICK_MS, and with SC_TELL_END once more at the end,
 * with copied == total; both are in bytes. A total of -1 means "run signal handlers only". Such a
 * call may come at any time, for example after EINTR. If the result is not 0, the copy stops and
 * fails with SC_STOPPED.
 */
SC_PYTHON int sc_tick(void *caller, int64_t copied, int64_t total);

#endif
