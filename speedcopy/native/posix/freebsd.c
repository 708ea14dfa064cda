/*
 * The mechanisms of FreeBSD, fastest first.
 *
 * table.c decides what an errno means; here every errno is only returned.
 */
#include <unistd.h>

#include "posix.h"

/*
 * The file system or the NFS 4.2 server copies; ZFS may share blocks (since 14). Where they cannot,
 * the kernel reads and writes. copy_file_range(2):
 * EINVAL           not a regular file
 * EBADF            an O_APPEND dst
 * EFBIG            beyond the largest file
 * EINTR            a signal before the first byte; it is repeated
 * EISDIR ENOSPC EIO EINTEGRITY  read or write return it, too
 * nothing copied   the end of src
 */
static int64_t copy_range(sc_job *job, int64_t length)
{
    ssize_t moved = copy_file_range(job->src_fd, NULL, job->dst_fd, NULL, (size_t)length, 0);
    return moved < 0 ? -errno : moved;
}

const sc_mechanism sc_mechanisms[] = {
    {"copy_file_range", copy_range, NULL, SC_MAY_CLONE},
    {"read/write", sc_read_write, NULL, SC_ANY_FILE},
    {NULL, NULL, NULL, 0},
};
