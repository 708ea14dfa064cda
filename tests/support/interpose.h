/*
 * What the files of the interposer share.
 *
 * interpose.c has the rules and the calls that a copy makes on every POSIX system. The calls that
 * only one platform has are in interpose_PLATFORM.c, by its name in Python; a platform without
 * such calls needs no file. KNOWN stands behind each call, and interpose_known() lists them.
 */
#ifndef INTERPOSE_H
#define INTERPOSE_H

#include <dlfcn.h>
#include <stddef.h>
#include <sys/types.h>

enum action {
    HAND_ON,
    FAIL,    /* with errno `code` */
    LATE,    /* moves `amount` bytes, but not the files' positions, then fails with `code` */
    GROW,    /* gives dst the size of src, then fails with `code`: a clone that CIFS refuses */
    NOTHING, /* succeeds and moves nothing */
    SHORT,   /* moves at most `amount` bytes */
    SLOW,    /* moves at most `amount` bytes a second, and no signal wakes it */
    SIGNAL,  /* sends the process signal `code`, then fails with EINTR */
    SERVE,   /* an ioctl that does what it is for, on whatever file system */
    CUT,     /* the same, when src has just been truncated to `amount` bytes */
    CLAIM,   /* fstat: a size of `amount` bytes */
    FORGET,  /* open: as if O_EXCL had not been asked for */
    REPLACE, /* write, close: "other" is renamed over the file; a write then fails with `code` */
    ANSWER   /* fstat, stat: device number `code`; fstatfs: type `code`; the others: 0 */
};

struct rule {
    char call[32];
    char where[64];
    long skip;
    long times;
    enum action action;
    long code;
    long amount;
    long seen;
};

/* Functions of the host program may have the names of these. */
#pragma GCC visibility push(hidden)

/* The next definition of a function; with large files its name ends in 64, if it has two. */
void *next_symbol(const char *name);

/* Adds a call to what interpose_known() lists. */
void know(const char *call);

/* Notes the call, if it is one on a file in the folder, and finds what to do about it. */
struct rule rule_for_fd(const char *call, int fd);
struct rule rule_for_path(const char *call, const char *path);

/* Sets errno. -1. */
int fail(long code);

/* Does FAIL and SIGNAL. -1 with errno, or 0: go on. */
int refused(const struct rule *rule);

/* What a rule does to a call that moves bytes, before or instead of it. 0: go on. */
int before_move(const struct rule *rule, size_t *length);

/* Copies up to `length` bytes from where the files stand, and leaves them standing there. */
void move_aside(int src_fd, int dst_fd, size_t length);

#pragma GCC visibility pop

#define NEXT(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&name) next;                                                             \
        if (!next)                                                                                 \
            next = (__typeof__(&name))next_symbol(#name);                                          \
        next;                                                                                      \
    })

#define KNOWN(call)                                                                                \
    __attribute__((constructor)) static void know_##call(void)                                     \
    {                                                                                              \
        know(#call);                                                                               \
    }

/* A call on `fd` that can be refused. */
#define ON_FD(type, call, parameters, arguments)                                                   \
    type call parameters                                                                           \
    {                                                                                              \
        struct rule rule = rule_for_fd(#call, fd);                                                 \
        return refused(&rule) ? -1 : NEXT(call) arguments;                                         \
    }                                                                                              \
    KNOWN(call)

/* A call on `path` that can be refused. */
#define ON_PATH(type, call, parameters, arguments)                                                 \
    type call parameters                                                                           \
    {                                                                                              \
        struct rule rule = rule_for_path(#call, path);                                             \
        return refused(&rule) ? -1 : NEXT(call) arguments;                                         \
    }                                                                                              \
    KNOWN(call)

/* A call that moves `length` bytes from `src_fd` to `dst_fd`. */
#define MOVES(call, parameters, arguments)                                                         \
    ssize_t call parameters                                                                        \
    {                                                                                              \
        struct rule rule = rule_for_fd(#call, dst_fd);                                             \
        if (rule.action == LATE)                                                                   \
            move_aside(src_fd, dst_fd, (size_t)rule.amount);                                       \
        if (before_move(&rule, &length))                                                           \
            return -1;                                                                             \
        return rule.action == NOTHING ? 0 : NEXT(call) arguments;                                  \
    }                                                                                              \
    KNOWN(call)

#endif
