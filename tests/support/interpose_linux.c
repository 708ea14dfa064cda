/* The calls of a copy that only Linux has. */
#include "interpose.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "posix/linux.h"

MOVES(sendfile, (int dst_fd, int src_fd, off_t *src_at, size_t length),
      (dst_fd, src_fd, src_at, length))
MOVES(copy_file_range,
      (int src_fd, off64_t *src_at, int dst_fd, off64_t *dst_at, size_t length, unsigned flags),
      (src_fd, src_at, dst_fd, dst_at, length, flags))
ON_FD(int, sync_file_range, (int fd, off64_t from, off64_t length, unsigned flags),
      (fd, from, length, flags))

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
#define REQUEST(name) {name, #name}
static const struct {
    unsigned long request;
    const char *call;
} REQUESTS[] = {
    REQUEST(FICLONE),
    REQUEST(FICLONERANGE),
    REQUEST(FIDEDUPERANGE),
    REQUEST(CIFS_IOC_COPYCHUNK_FILE),
    REQUEST(CIFS_IOC_GET_MNT_INFO),
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
    if (rule.action == ANSWER || refused(&rule))
        return rule.action == ANSWER ? 0 : -1;
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

__attribute__((constructor)) static void know_requests(void)
{
    for (size_t i = 0; i < sizeof REQUESTS / sizeof *REQUESTS; i++)
        know(REQUESTS[i].call);
}

int fstatfs(int fd, struct statfs *fs)
{
    struct rule rule = rule_for_fd("fstatfs", fd);
    int result = refused(&rule) ? -1 : NEXT(fstatfs)(fd, fs);
    if (result == 0 && rule.action == ANSWER)
        fs->f_type = (__typeof__(fs->f_type))rule.code;
    return result;
}
KNOWN(fstatfs)

/* The calls of a copy, and behind each the one that Python's os makes. */
ON_FD(ssize_t, flistxattr, (int fd, char *list, size_t size), (fd, list, size))
ON_PATH(ssize_t, listxattr, (const char *path, char *list, size_t size), (path, list, size))
ON_FD(ssize_t, fgetxattr, (int fd, const char *name, void *value, size_t size),
      (fd, name, value, size))
ON_PATH(ssize_t, getxattr, (const char *path, const char *name, void *value, size_t size),
        (path, name, value, size))
ON_FD(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
      (fd, name, value, size, flags))
ON_PATH(int, setxattr,
        (const char *path, const char *name, const void *value, size_t size, int flags),
        (path, name, value, size, flags))

/* Asked when a library is loaded, before there can be rules. */
int uname(struct utsname *name)
{
    const char *release = getenv("INTERPOSE_RELEASE");
    int result = NEXT(uname)(name);
    if (result == 0 && release)
        snprintf(name->release, sizeof name->release, "%s", release);
    return result;
}
