/*
 * Makes the system calls of a copy fail, fall short and dawdle, as the tests say.
 *
 * Preloaded into a worker of the tests (interpose.py). It acts on descriptors of files in one
 * folder and on nothing else, so that Python's own input and output are left alone, and it
 * notes the calls that it sees there. With no rules it only hands calls on.
 *
 * A rule acts on the calls number skip to skip + times - 1 (times < 0: on all from there) of
 * one kind, counted from 0, on files whose name is `where` ("": on all). Calls with two files
 * belong to dst. Of several rules that act on a call, the first does.
 */
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef O_TMPFILE
#define O_TMPFILE 0
#endif

/* In the order of `action`. */
static const char *const ACTIONS[] = {"hand on", "fail",   "late",    "grow",  "nothing",
                                      "short",   "slow",   "signal",  "serve", "cut",
                                      "claim",   "forget", "replace", "answer"};

enum { MOST_RULES = 32, MOST_FILES = 4096, LONGEST_LOG = 1 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX]; /* "": act on nothing */
static struct rule rules[MOST_RULES];
static int rule_count;
static char *names[MOST_FILES]; /* by descriptor: the name within the folder, NULL elsewhere */
static char calls[LONGEST_LOG]; /* each with a space behind it */
static size_t calls_length;
static char known[1024]; /* the same */

void *next_symbol(const char *name)
{
    char large[64];
    snprintf(large, sizeof large, "%s64", name);
    void *found = dlsym(RTLD_NEXT, large);
    return found ? found : dlsym(RTLD_NEXT, name);
}

void know(const char *call)
{
    size_t length = strlen(known);
    snprintf(known + length, sizeof known - length, "%s ", call);
}

/* The calls that rules can be about. */
const char *interpose_known(void)
{
    return known;
}

/* Forgets rules and calls, and acts on files in `in_folder` from now on. */
void interpose_reset(const char *in_folder)
{
    pthread_mutex_lock(&lock);
    snprintf(folder, sizeof folder, "%s", in_folder);
    rule_count = 0;
    calls_length = 0;
    calls[0] = '\0';
    pthread_mutex_unlock(&lock);
}

/* Adds a rule. 0, or -1 if there is no such action or no room. */
int interpose_rule(const char *call, const char *where, long skip, long times, const char *action,
                   long code, long amount)
{
    int result = -1;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < sizeof ACTIONS / sizeof *ACTIONS && rule_count < MOST_RULES; i++) {
        if (strcmp(ACTIONS[i], action) == 0) {
            struct rule *rule = &rules[rule_count++];
            *rule = (struct rule){.skip = skip,
                                  .times = times,
                                  .action = (enum action)i,
                                  .code = code,
                                  .amount = amount};
            snprintf(rule->call, sizeof rule->call, "%s", call);
            snprintf(rule->where, sizeof rule->where, "%s", where);
            result = 0;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return result;
}

/* The names of the calls seen, in order. */
const char *interpose_calls(void)
{
    return calls;
}

/* The name of a path within the folder, also by a descriptor; NULL for all others. */
static const char *name_in_folder(const char *path)
{
    size_t length = strlen(folder);
    int fd;
    if (sscanf(path, "/proc/self/fd/%d", &fd) == 1 || sscanf(path, "/dev/fd/%d", &fd) == 1)
        return fd >= 0 && fd < MOST_FILES ? names[fd] : NULL;
    int inside = length && strncmp(path, folder, length) == 0 && path[length] == '/';
    return inside ? strrchr(path, '/') + 1 : NULL;
}

/* Notes the call and finds what to do about it. */
static struct rule find_rule(const char *call, const char *name)
{
    struct rule found = {.action = HAND_ON};
    size_t length = strlen(call);
    if (calls_length + length + 2 < sizeof calls) {
        memcpy(calls + calls_length, call, length);
        memcpy(calls + calls_length + length, " ", 2);
        calls_length += length + 1;
    }
    for (int i = 0; i < rule_count; i++) {
        struct rule *rule = &rules[i];
        if (strcmp(rule->call, call) || (*rule->where && strcmp(rule->where, name)))
            continue;
        long number = rule->seen++;
        if (found.action == HAND_ON && number >= rule->skip &&
            (rule->times < 0 || number < rule->skip + rule->times))
            found = *rule;
    }
    return found;
}

struct rule rule_for_fd(const char *call, int fd)
{
    struct rule found = {.action = HAND_ON};
    if (fd < 0 || fd >= MOST_FILES || !names[fd])
        return found;
    pthread_mutex_lock(&lock);
    if (names[fd])
        found = find_rule(call, names[fd]);
    pthread_mutex_unlock(&lock);
    return found;
}

struct rule rule_for_path(const char *call, const char *path)
{
    struct rule found = {.action = HAND_ON};
    pthread_mutex_lock(&lock);
    const char *name = name_in_folder(path);
    if (name)
        found = find_rule(call, name);
    pthread_mutex_unlock(&lock);
    return found;
}

int fail(long code)
{
    errno = (int)code;
    return -1;
}

int refused(const struct rule *rule)
{
    if (rule->action == FAIL)
        return fail(rule->code);
    if (rule->action != SIGNAL)
        return 0;
    raise((int)rule->code);
    return fail(EINTR);
}

static void sleep_through(size_t bytes, long bytes_per_second)
{
    double seconds = (double)bytes / (double)bytes_per_second;
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

void move_aside(int src_fd, int dst_fd, size_t length)
{
    char buffer[1 << 16];
    off_t src_at = NEXT(lseek)(src_fd, 0, SEEK_CUR), dst_at = NEXT(lseek)(dst_fd, 0, SEEK_CUR);
    while (length > 0) {
        size_t wanted = length < sizeof buffer ? length : sizeof buffer;
        ssize_t got = pread(src_fd, buffer, wanted, src_at);
        if (got <= 0 || pwrite(dst_fd, buffer, (size_t)got, dst_at) != got)
            return;
        src_at += got;
        dst_at += got;
        length -= (size_t)got;
    }
}

/* What another program does: its finished file takes the name of dst. */
static void replace_dst(void)
{
    char other[PATH_MAX + 8], dst[PATH_MAX + 8];
    snprintf(other, sizeof other, "%s/other", folder);
    snprintf(dst, sizeof dst, "%s/dst", folder);
    rename(other, dst);
}

int before_move(const struct rule *rule, size_t *length)
{
    size_t amount = (size_t)rule->amount;
    if (rule->action == SHORT)
        *length = *length < amount ? *length : amount;
    else if (rule->action == SLOW)
        sleep_through(*length, rule->amount);
    else if (rule->action == REPLACE)
        replace_dst();
    return rule->action == LATE || rule->action == REPLACE ? fail(rule->code) : refused(rule);
}

ssize_t read(int fd, void *buffer, size_t length)
{
    struct rule rule = rule_for_fd("read", fd);
    if (before_move(&rule, &length))
        return -1;
    return rule.action == NOTHING ? 0 : NEXT(read)(fd, buffer, length);
}
KNOWN(read)

ssize_t write(int fd, const void *buffer, size_t length)
{
    struct rule rule = rule_for_fd("write", fd);
    if (rule.action == LATE &&
        pwrite(fd, buffer, (size_t)rule.amount, NEXT(lseek)(fd, 0, SEEK_CUR)) < 0)
        return -1;
    if (before_move(&rule, &length))
        return -1;
    return rule.action == NOTHING ? 0 : NEXT(write)(fd, buffer, length);
}
KNOWN(write)

int openat(int dir, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(list, int) : 0;
    va_end(list);
    struct rule rule = rule_for_path("open", path);
    if (refused(&rule))
        return -1;
    if (rule.action == FORGET)
        flags &= ~O_EXCL;
    int fd = NEXT(openat)(dir, path, flags, mode);
    if (fd >= 0 && fd < MOST_FILES) {
        pthread_mutex_lock(&lock);
        const char *name = name_in_folder(path);
        names[fd] = name ? strdup(name) : NULL;
        pthread_mutex_unlock(&lock);
    }
    return fd;
}
KNOWN(open)

int close(int fd)
{
    struct rule rule = rule_for_fd("close", fd);
    if (fd >= 0 && fd < MOST_FILES && names[fd]) {
        pthread_mutex_lock(&lock);
        free(names[fd]);
        names[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    int result = NEXT(close)(fd);
    if (rule.action == REPLACE)
        replace_dst();
    return refused(&rule) ? -1 : result;
}
KNOWN(close)

int fstat(int fd, struct stat *st)
{
    struct rule rule = rule_for_fd("fstat", fd);
    int result = refused(&rule) ? -1 : NEXT(fstat)(fd, st);
    if (result == 0 && rule.action == ANSWER)
        st->st_dev = (dev_t)rule.code;
    if (result == 0 && rule.action == CLAIM)
        st->st_size = rule.amount;
    return result;
}
KNOWN(fstat)

int fstatat(int dir, const char *path, struct stat *st, int flags)
{
    struct rule rule = rule_for_path("stat", path);
    int result = refused(&rule) ? -1 : NEXT(fstatat)(dir, path, st, flags);
    if (result == 0 && rule.action == ANSWER)
        st->st_dev = (dev_t)rule.code;
    return result;
}
KNOWN(stat)

ON_FD(off_t, lseek, (int fd, off_t offset, int whence), (fd, offset, whence))
ON_FD(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FD(int, fsync, (int fd), (fd))

/* Metadata: the calls of a copy, and behind each the one that Python's os makes. */
ON_FD(int, futimens, (int fd, const struct timespec times[2]), (fd, times))
ON_PATH(int, utimensat, (int dir, const char *path, const struct timespec times[2], int flags),
        (dir, path, times, flags))
ON_FD(int, fchmod, (int fd, mode_t mode), (fd, mode))
ON_PATH(int, chmod, (const char *path, mode_t mode), (path, mode))
