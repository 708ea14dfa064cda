/* What is particular to Linux about open files: their file system, and writing back. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "posix.h"

/* linux/magic.h */
#define BTRFS_MAGIC 0x9123683E
#define EXT_MAGIC 0xEF53
#define F2FS_MAGIC 0xF2F52010
#define OVERLAYFS_MAGIC 0x794C7630
#define TMPFS_MAGIC 0x01021994
#define XFS_MAGIC 0x58465342

/* Returns 0 if fstatfs fails: some shares return EREMOTEIO (ynput/ayon-core#1714). */
static uint32_t file_system(sc_job *job, int fd)
{
    struct statfs fs;
    int result;
    SC_REPEAT(job, result, fstatfs(fd, &fs));
    return result == 0 ? (uint32_t)fs.f_type : 0;
}

static int is_local(uint32_t type)
{
    switch (type) {
    case BTRFS_MAGIC:
    case EXT_MAGIC:
    case F2FS_MAGIC:
    case OVERLAYFS_MAGIC:
    case TMPFS_MAGIC:
    case XFS_MAGIC:
        return 1;
    default:
        return 0;
    }
}

/*
 * On a share (CIFS, NFS, FUSE), close waits until all data is written back. The file system's type
 * is remembered for the last device of each thread, as fstatfs is a request. A wrong type costs
 * time and nothing else.
 */
static int close_waits(sc_job *job)
{
    static _Thread_local dev_t known_dev;
    static _Thread_local uint32_t known_type;
    dev_t dev = job->dst_st.st_dev;
    if (!S_ISREG(job->dst_st.st_mode) || major(dev) != 0)
        return 0;
    if (dev != known_dev) {
        known_type = file_system(job, job->dst_fd);
        known_dev = dev;
    }
    return !is_local(known_type);
}

/*
 * Nothing interrupts the wait of close, and the page cache may hold a gigabyte by then. So data is
 * written back round by round. An error that a wait returns here is final, because the kernel
 * reports it once: close may succeed afterwards.
 */
int sc_write_back(sc_job *job)
{
    int64_t before = job->arrived, here = job->sent;
    if (before < 0)
        return 0;
    job->arrived = -1;
    if (!close_waits(job) ||
        sync_file_range(job->dst_fd, here, job->copied - here, SYNC_FILE_RANGE_WRITE) < 0)
        return 0;
    job->arrived = before;
    if (here > before &&
        sync_file_range(job->dst_fd, before, here - before, SYNC_FILE_RANGE_WAIT_BEFORE) < 0)
        return -errno;
    job->arrived = here;
    job->sent = job->copied;
    return 0;
}

/*
 * The NFS client keeps the error of an earlier write-back, perhaps of another program and long ago,
 * and returns it at each close of the file until it has been reported. dst has just been truncated,
 * so the data that was lost does not matter any more.
 */
void sc_forget_errors(const sc_job *job)
{
    if (major(job->dst_st.st_dev) == 0)
        sync_file_range(job->dst_fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE);
}

/*
 * Does the file system itself know its files? On others, SEEK_HOLE sends requests (SMB, NFS, FUSE)
 * or has been wrong: OpenZFS reported holes where data was still in memory (openzfs/zfs#15526). And
 * sizes may be stale: NFS, FUSE. An overlay may have any file system below it.
 */
static int is_true(uint32_t type)
{
    return is_local(type) && type != OVERLAYFS_MAGIC;
}

int sc_holes_known(sc_job *job, int fd)
{
    return is_true(file_system(job, fd));
}

int sc_open_again(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return openat(AT_FDCWD, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
}

ssize_t sc_list_xattrs(int fd, char *names, size_t size)
{
    return flistxattr(fd, names, size);
}

ssize_t sc_get_xattr(int fd, const char *name, char *value, size_t size)
{
    return fgetxattr(fd, name, value, size);
}

int sc_set_xattr(int fd, const char *name, const char *value, size_t size)
{
    return fsetxattr(fd, name, value, size, 0);
}

int sc_copy_flags(const sc_job *job)
{
    (void)job;
    return 0;
}

uint64_t sc_exact_device(int fd)
{
    struct stat st;
    struct statfs fs;
    int is_known = fstat(fd, &st) == 0 && fstatfs(fd, &fs) == 0;
    return is_known && is_true((uint32_t)fs.f_type) ? st.st_dev : 0;
}
