/*
 * Makes the system calls of a copy fail, fall short and dawdle, as the tests say.
 *
 * Preloaded into a worker of the tests (interpose.py). It acts on descriptors of files in one
 * folder and on nothing else, so that Python's own input and output are left alone, and it
 * writes down the calls that it sees there. With no rules it only hands calls on.
 *
 * A rule acts on the calls number skip to skip + times - 1 (times < 0: on all from there) of
 * one kind, counted from 0, on files whose name is `where` ("": on all). Calls with two files
 * belong to dst. Of several rules that act on a call, the first does.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "posix/linux.h"

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
    ANSWER   /* fstat, stat: device number 0, `code`; fstatfs: type `code`; the others: 0 */
};

/* In the order of `action`. */
static const char *const ACTIONS[] = {"hand on", "fail",   "late",    "grow",  "nothing",
                                      "short",   "slow",   "signal",  "serve", "cut",
                                      "claim",   "forget", "replace", "answer"};

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

enum { MOST_RULES = 32, MOST_FILES = 4096, LONGEST_LOG = 1 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX]; /* "": act on nothing */
static struct rule rules[MOST_RULES];
static int rule_count;
static char *names[MOST_FILES]; /* by descriptor: the name within the folder, NULL elsewhere */
static char calls[LONGEST_LOG]; /* each with a space behind it */
static size_t calls_length;

/* The next definition of a function; with large files its name ends in 64, if it has two. */
static void *next_symbol(const char *name)
{
    char large[64];
    snprintf(large, sizeof large, "%s64", name);
    void *found = dlsym(RTLD_NEXT, large);
    return found ? found : dlsym(RTLD_NEXT, name);
}

#define NEXT(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&name) next;                                                             \
        if (!next)                                                                                 \
            next = (__typeof__(&name))next_symbol(#name);                                          \
        next;                                                                                      \
    })

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

/* How many descriptors of files in the folder are open. */
int interpose_open_files(void)
{
    int count = 0;
    pthread_mutex_lock(&lock);
    for (int fd = 0; fd < MOST_FILES; fd++)
        count += names[fd] != NULL;
    pthread_mutex_unlock(&lock);
    return count;
}

/* The name of a path within the folder, also by a descriptor; NULL for all others. */
static const char *name_in_folder(const char *path)
{
    size_t length = strlen(folder);
    int fd;
    if (sscanf(path, "/proc/self/fd/%d", &fd) == 1)
        return fd >= 0 && fd < MOST_FILES ? names[fd] : NULL;
    int inside = length && strncmp(path, folder, length) == 0 && path[length] == '/';
    return inside ? strrchr(path, '/') + 1 : NULL;
}

/* Writes the call down and finds what to do about it. */
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

static struct rule rule_for_fd(const char *call, int fd)
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

static struct rule rule_for_path(const char *call, const char *path)
{
    struct rule found = {.action = HAND_ON};
    pthread_mutex_lock(&lock);
    const char *name = name_in_folder(path);
    if (name)
        found = find_rule(call, name);
    pthread_mutex_unlock(&lock);
    return found;
}

static int fail(long code)
{
    errno = (int)code;
    return -1;
}

static int interrupt(long signal_number)
{
    raise((int)signal_number);
    return fail(EINTR);
}

static void sleep_through(size_t bytes, long bytes_per_second)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    long nanoseconds =
        until.tv_nsec + (long)((double)bytes / (double)bytes_per_second * 1000000000.0);
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

/* Copies up to `length` bytes from where the files stand, and leaves them standing there. */
static void move_aside(int src_fd, int dst_fd, size_t length)
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

/* What a rule does to a call that moves bytes, before or instead of it. 0: go on. */
static int before_move(const struct rule *rule, size_t *length)
{
    switch (rule->action) {
    case FAIL:
    case LATE:
        return fail(rule->code);
    case SIGNAL:
        return interrupt(rule->code);
    case REPLACE:
        replace_dst();
        return fail(rule->code);
    case SHORT:
        *length = *length < (size_t)rule->amount ? *length : (size_t)rule->amount;
        return 0;
    case SLOW:
        sleep_through(*length, rule->amount);
        return 0;
    default:
        return 0;
    }
}

ssize_t read(int fd, void *buffer, size_t length)
{
    struct rule rule = rule_for_fd("read", fd);
    if (before_move(&rule, &length))
        return -1;
    return rule.action == NOTHING ? 0 : NEXT(read)(fd, buffer, length);
}

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

ssize_t sendfile(int dst_fd, int src_fd, off_t *src_at, size_t length)
{
    struct rule rule = rule_for_fd("sendfile", dst_fd);
    if (rule.action == LATE)
        move_aside(src_fd, dst_fd, (size_t)rule.amount);
    if (before_move(&rule, &length))
        return -1;
    return rule.action == NOTHING ? 0 : NEXT(sendfile)(dst_fd, src_fd, src_at, length);
}

ssize_t copy_file_range(int src_fd, off64_t *src_at, int dst_fd, off64_t *dst_at, size_t length,
                        unsigned flags)
{
    struct rule rule = rule_for_fd("copy_file_range", dst_fd);
    if (rule.action == LATE)
        move_aside(src_fd, dst_fd, (size_t)rule.amount);
    if (before_move(&rule, &length))
        return -1;
    return rule.action == NOTHING
               ? 0
               : NEXT(copy_file_range)(src_fd, src_at, dst_fd, dst_at, length, flags);
}

/*
 * FICLONE as ioctl_ficlone(2) has it: nothing behind the clone unless it ends with a block.
 * CIFS_IOC_COPYCHUNK_FILE as the CIFS client has it: never makes dst shorter.
 */
static int serve(int is_clone, int src_fd, int dst_fd, off_t src_size, off_t dst_size)
{
    if (is_clone && dst_size > src_size && src_size % 4096)
        return fail(EINVAL);
    move_aside(src_fd, dst_fd, (size_t)src_size);
    return 0;
}

/* The ioctls that a copy makes, by request. */
static const struct {
    unsigned long request;
    const char *call;
} REQUESTS[] = {
    {FICLONE, "FICLONE"},
    {FICLONERANGE, "FICLONERANGE"},
    {FIDEDUPERANGE, "FIDEDUPERANGE"},
    {CIFS_IOC_COPYCHUNK_FILE, "CIFS_IOC_COPYCHUNK_FILE"},
    {CIFS_IOC_GET_MNT_INFO, "CIFS_IOC_GET_MNT_INFO"},
};

int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    struct rule rule = {.action = HAND_ON};
    struct stat src_st, dst_st;
    for (size_t i = 0; i < sizeof REQUESTS / sizeof *REQUESTS; i++)
        if (request == REQUESTS[i].request)
            rule = rule_for_fd(REQUESTS[i].call, fd);
    if (rule.action == HAND_ON)
        return NEXT(ioctl)(fd, request, argument);
    if (rule.action == ANSWER)
        return 0;
    if (rule.action == FAIL)
        return fail(rule.code);
    if (rule.action == SIGNAL)
        return interrupt(rule.code);
    int src_fd = request == FICLONERANGE ? (int)*(int64_t *)argument : (int)(long)argument;
    if (NEXT(fstat)(src_fd, &src_st) < 0 || NEXT(fstat)(fd, &dst_st) < 0)
        return -1;
    if (rule.action == CUT) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", src_fd);
        if (truncate(path, rule.amount) < 0)
            return -1;
        src_st.st_size = rule.amount;
    }
    if (rule.action == SERVE || rule.action == CUT)
        return serve(request == FICLONE, src_fd, fd, src_st.st_size, dst_st.st_size);
    if (rule.action == GROW && dst_st.st_size < src_st.st_size &&
        NEXT(ftruncate)(fd, src_st.st_size) < 0)
        return -1;
    if (rule.action == LATE)
        move_aside(src_fd, fd, (size_t)rule.amount);
    return fail(rule.code);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(list, int) : 0;
    va_end(list);
    struct rule rule = rule_for_path("open", path);
    if (rule.action == FAIL)
        return fail(rule.code);
    if (rule.action == SIGNAL)
        return interrupt(rule.code);
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
    return rule.action == FAIL ? fail(rule.code) : result;
}

int ftruncate(int fd, off_t size)
{
    struct rule rule = rule_for_fd("ftruncate", fd);
    if (rule.action == SIGNAL)
        return interrupt(rule.code);
    return rule.action == FAIL ? fail(rule.code) : NEXT(ftruncate)(fd, size);
}

int sync_file_range(int fd, off64_t from, off64_t length, unsigned flags)
{
    struct rule rule = rule_for_fd("sync_file_range", fd);
    return rule.action == FAIL ? fail(rule.code) : NEXT(sync_file_range)(fd, from, length, flags);
}

off_t lseek(int fd, off_t offset, int whence)
{
    struct rule rule = rule_for_fd("lseek", fd);
    return rule.action == FAIL ? fail(rule.code) : NEXT(lseek)(fd, offset, whence);
}

int fstat(int fd, struct stat *st)
{
    struct rule rule = rule_for_fd("fstat", fd);
    if (rule.action == SIGNAL)
        return interrupt(rule.code);
    int result = rule.action == FAIL ? fail(rule.code) : NEXT(fstat)(fd, st);
    if (result == 0 && rule.action == ANSWER)
        st->st_dev = makedev(0, (unsigned)rule.code);
    if (result == 0 && rule.action == CLAIM)
        st->st_size = rule.amount;
    return result;
}

int fstatat(int dir, const char *path, struct stat *st, int flags)
{
    struct rule rule = rule_for_path("stat", path);
    if (rule.action == FAIL)
        return fail(rule.code);
    if (rule.action == SIGNAL)
        return interrupt(rule.code);
    int result = NEXT(fstatat)(dir, path, st, flags);
    if (result == 0 && rule.action == ANSWER)
        st->st_dev = makedev(0, (unsigned)rule.code);
    return result;
}

int fstatfs(int fd, struct statfs *fs)
{
    struct rule rule = rule_for_fd("fstatfs", fd);
    if (rule.action == SIGNAL)
        return interrupt(rule.code);
    int result = rule.action == FAIL ? fail(rule.code) : NEXT(fstatfs)(fd, fs);
    if (result == 0 && rule.action == ANSWER)
        fs->f_type = (__typeof__(fs->f_type))rule.code;
    return result;
}

/* Asked when a library is loaded, before there can be rules. */
int uname(struct utsname *name)
{
    const char *release = getenv("INTERPOSE_RELEASE");
    int result = NEXT(uname)(name);
    if (result == 0 && release)
        snprintf(name->release, sizeof name->release, "%s", release);
    return result;
}
