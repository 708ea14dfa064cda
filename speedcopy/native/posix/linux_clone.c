/* reflink="always" on Linux: finds out whether a clone would work, and keeps the data of dst. */
#include "linux.h"

#include "posix.h"

/* The structures of linux/fs.h, a header that conflicts with those of some C libraries. */
struct clone_range {
    int64_t src_fd;
    uint64_t src_offset;
    uint64_t src_length; /* 0: to the end */
    uint64_t dst_offset;
};
struct dedupe_range {
    uint64_t src_offset;
    uint64_t src_length;
    uint16_t count;
    uint16_t reserved[3];
    int64_t dst_fd;
    uint64_t dst_offset;
    uint64_t deduped;
    int32_t status; /* 0: same data, 1: different data, or -errno */
    uint32_t reserved_too;
};

/*
 * Asks btrfs or XFS to share the first block of src and dst if both have the same data there. That
 * changes no data. If it fails for another reason than different data, a clone would fail, too.
 */
static int may_share_block(const sc_job *job, int64_t block)
{
    struct dedupe_range range = {
        .src_length = (uint64_t)block,
        .count = 1,
        .dst_fd = job->dst_fd,
    };
    return job->size >= block && job->dst_st.st_size >= block &&
           ioctl(job->src_fd, FIDEDUPERANGE, &range) == 0 && range.status >= 0;
}

/*
 * Without FIDEDUPERANGE (NFS, SMB, less than a block), the first block of src is cloned to an
 * offset after the end of dst. On SMB a failed clone may have made dst longer, as the client sets
 * the size before it asks the server: then dst is truncated to its old size. On other file systems
 * a longer dst means that another program has written to it.
 */
int sc_try_clone(sc_job *job)
{
    int64_t block = job->dst_st.st_blksize, end = job->dst_st.st_size;
    uint64_t behind = ((uint64_t)end + (uint64_t)block - 1) / (uint64_t)block * (uint64_t)block;
    struct clone_range range = {
        .src_fd = job->src_fd,
        .src_length = job->size > block ? (uint64_t)block : 0,
        .dst_offset = behind,
    };
    struct stat now;
    int result;
    if (may_share_block(job, block))
        return 0;
    SC_REPEAT(job, result, ioctl(job->dst_fd, FICLONERANGE, &range));
    if (result == 0)
        return 0;
    int code = errno;
    if (sc_may_copy_in_place(job) && fstat(job->dst_fd, &now) == 0 &&
        (uint64_t)now.st_size > behind)
        sc_truncate(job, end);
    return -code;
}
