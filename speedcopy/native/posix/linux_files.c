/* What only Linux knows of open files: on which file system they are, and flushing. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "posix.h"

/* linux/magic.h */
#define BTRFS_MAGIC 0x9123683E
#define EXT_MAGIC 0xEF53
#define F2FS_MAGIC 0xF2F52010
#define OVERLAYFS_MAGIC 0x794C7630
#define TMPFS_MAGIC 0x01021994
#define XFS_MAGIC 0x58465342

/* 0 where statfs fails: some shares answer EREMOTEIO (ynput/ayon-core#1714). */
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
 * The close of a file on a share (CIFS, NFS, FUSE) waits until all of it is written. The type is
 * asked once a thread and device, as it is a request; a wrong one costs time and nothing else.
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
 * Nothing interrupts that wait, and a page cache takes a gigabyte at once. An error of waiting has
 * been reported with that, and close may not report it again.
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
 * The NFS client reports an error of writing in the background, which may have been another
 * program's and long ago, at every close of the file until somebody has heard of it. dst is emptied
 * or replaced now, so what it has lost does not matter any more.
 */
void sc_forget_errors(const sc_job *job)
{
    if (major(job->dst_st.st_dev) == 0)
        sync_file_range(job->dst_fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE);
}

/*
 * Elsewhere a look for holes is requests (SMB, NFS, FUSE), or has lied: OpenZFS took data for
 * a hole while it was still in memory (openzfs/zfs#15526). Under an overlay may be any of them.
 */
int sc_holes_known(sc_job *job, int fd)
{
    uint32_t type = file_system(job, fd);
    return is_local(type) && type != OVERLAYFS_MAGIC;
}

int sc_open_again(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return openat(AT_FDCWD, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
}
