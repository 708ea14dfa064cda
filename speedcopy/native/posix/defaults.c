/*
 * What a platform's file defines, for a system that has none of it: macOS and FreeBSD.
 *
 * No request replaces the old content of dst, no call asks whether a clone would work, and none
 * starts to write back a part of a file.
 */
#include <unistd.h>

#include "posix.h"

int sc_may_copy_in_place(const sc_job *job)
{
    (void)job;
    return 0;
}

int sc_try_clone(sc_job *job)
{
    (void)job;
    return -EOPNOTSUPP;
}

/*
 * SEEK_HOLE has reported holes where data was not yet written back, on APFS and on OpenZFS
 * (openzfs/zfs#15526). copy_file_range of FreeBSD keeps holes without it.
 */
int sc_holes_known(sc_job *job, int fd)
{
    (void)job;
    (void)fd;
    return 0;
}

/* /dev/fd gives a duplicate of the descriptor, and a name may be another file's by now. */
int sc_open_again(int fd)
{
    (void)fd;
    errno = EOPNOTSUPP;
    return -1;
}

void sc_forget_errors(const sc_job *job)
{
    (void)job;
}

int sc_write_back(sc_job *job)
{
    job->arrived = -1;
    return 0;
}

/* Python has extended attributes on Linux only, and so shutil copies them there only. */
ssize_t sc_list_xattrs(int fd, char *names, size_t size)
{
    (void)fd;
    (void)names;
    (void)size;
    return 0;
}

ssize_t sc_get_xattr(int fd, const char *name, char *value, size_t size)
{
    (void)fd;
    (void)name;
    (void)value;
    (void)size;
    errno = EOPNOTSUPP;
    return -1;
}

int sc_set_xattr(int fd, const char *name, const char *value, size_t size)
{
    (void)fd;
    (void)name;
    (void)value;
    (void)size;
    errno = EOPNOTSUPP;
    return -1;
}

/* As in shutil, a file system without flags is no error. */
int sc_copy_flags(const sc_job *job)
{
    if (job->src_st.st_flags == job->dst_st.st_flags)
        return 0;
    int result = fchflags(job->dst_fd, job->src_st.st_flags);
    return result < 0 && (errno == EOPNOTSUPP || errno == ENOTSUP) ? 0 : result;
}

/* Sizes are believed where a file system is known not to cache them. */
uint64_t sc_exact_device(int fd)
{
    (void)fd;
    return 0;
}
