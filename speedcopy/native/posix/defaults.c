/*
 * What a platform's file defines, for a system that has none of it: macOS and FreeBSD.
 *
 * No request replaces the old content of dst, no call asks whether a clone would work, and none
 * starts to write back a part of a file.
 */
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
