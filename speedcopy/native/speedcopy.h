/*
 * The contract between the native layer and Python.
 *
 * This header is read twice: by the C compiler, and by build_ffi.py, which makes the cffi
 * declarations from it. Nothing is declared anywhere else.
 *
 * sc_copy() does one whole copy: it opens both files, looks at what they are, lets the first
 * mechanism of the platform's table that can move the bytes, and closes both again. It keeps
 * no descriptor and no memory. A mechanism that cannot is *declined* with its errno, and the
 * next one goes on from where it stood.
 *
 * Results: 0, or the negated sum of a code and a place. The code is an errno (Windows: a Win32
 * code), or one of the SC_* codes that have none; the place is one of SC_AT_*. When a copy has
 * failed, src is as it was, a dst that this call created is gone, and a dst that existed and was
 * written to is cut to what had been copied.
 */
#ifndef SPEEDCOPY_H
#define SPEEDCOPY_H

#include <stdint.h>

/* A path in the system's own encoding; build_ffi.py names the type of its units. */
typedef SC_CHAR sc_char;

/* What the caller wants, as bits of `flags`. No bit: clone if possible, else copy. */
enum sc_flag {
    SC_REFLINK_ALWAYS = 1, /* a clone or nothing: EOPNOTSUPP where no clone is possible */
    SC_REFLINK_NEVER = 2,  /* nothing that may share extents, not even by the server's choice */
    SC_KEEP_HOLES = 4,     /* dst may have holes, and so may a clone; else every byte is written */
    SC_TELL_END = 8        /* there is a callback that wants to hear of the end, too */
};

/* Which name an error belongs to. */
enum sc_place {
    SC_AT_SRC = 0x10000,
    SC_AT_DST = 0x20000,
    SC_AT_BOTH = 0x30000,
    SC_LEAVE_IT = 0x40000 /* no error: the standard library's to do, or to refuse */
};

/* Codes with no errno of their own, above every errno. */
enum sc_code {
    SC_SAME_FILE = 0x7001,
    SC_NAMED_PIPE = 0x7002,
    SC_CHARACTER_DEVICE = 0x7003, /* as src; reading one may never end */
    SC_NO_DATA = 0x7004,          /* in `declined`: the call succeeded and moved nothing */
    SC_STOPPED = 0x7005           /* sc_tick said stop */
};

/* Shared by C and by the copies that Python makes alone (_plain.py). */
enum sc_limit {
    SC_MAX_MECHANISMS = 8,
    SC_TICK_MS = 50,              /* milliseconds: the least time between two calls of sc_tick */
    SC_SMALLEST_BUFFER = 0x10000, /* bytes that one read asks for, where the file has as many */
    SC_LARGEST_BUFFER = 0x100000  /* more than any wsize servers grant by default, fits a cache */
};

/* What happened. The caller owns it; rows count from 0 in the order of the table. */
typedef struct {
    int64_t copied;                      /* bytes of dst that are bytes of src */
    int32_t mechanism;                   /* row that moved the last byte, -1 if none did */
    int32_t offloaded;                   /* 1: not through this machine, 0: through it, or -1 */
    int32_t declined[SC_MAX_MECHANISMS]; /* by row: why it could not, 0 if it was not asked */
} sc_report;

/*
 * Copies the data of src to dst; both end with a NUL. `caller` is handed on to sc_tick, `report`
 * may be NULL. Runs without Python's lock.
 */
int sc_copy(const sc_char *src, const sc_char *dst, int flags, void *caller, sc_report *report);

/* The name of a row of the table, NULL past its end. */
const char *sc_mechanism_name(int row);

/* Marks what Python defines and C calls; build_ffi.py turns it into cffi's extern "Python+C". */
#define SC_PYTHON extern

/*
 * Called during long copies, at most every SC_TICK_MS, with SC_TELL_END once more at the end with
 * copied == total, and with a total of -1 where only signal handlers have to run. Bytes. Not 0:
 * stop, the copy fails with SC_STOPPED.
 */
SC_PYTHON int sc_tick(void *caller, int64_t copied, int64_t total);

#endif
