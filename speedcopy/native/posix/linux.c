/*
 * The mechanisms of Linux, fastest first. Each is one function with one call that copies.
 *
 * table.c decides what an errno means; here every errno is only returned. The lists of errnos
 * below say which kernel, file system or server returns what. tests/faults/mechanisms.py makes
 * the calls fail with each of them.
 */
#include "linux.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "posix.h"

/* Bytes of one request. Nothing interrupts a request, and a user does not wait long for Ctrl-C. */
static const int64_t LONGEST_REQUEST = 64 * SC_MIB;

/* is_sound() looks up whether this row has declined. */
enum { COPYCHUNK_ROW = 1 };

/*
 * Is src on an SMB share? Only the CIFS client supports this ioctl, since 3.13, and it sends no
 * request for it; fstatfs sends one. The major device number of a share is 0, that of a disk is
 * not. The last other device with major 0 is remembered, because the ioctl may be a request to a
 * FUSE server. If its number is later reused for a share, copies in this thread are slower, not
 * wrong.
 */
static int src_is_on_smb(const sc_job *job)
{
    static _Thread_local dev_t refused;
    dev_t dev = job->src_st.st_dev;
    char mount_info[64];
    if (major(dev) != 0 || dev == refused)
        return 0;
    if (ioctl(job->src_fd, CIFS_IOC_GET_MNT_INFO, mount_info) == 0)
        return 1;
    refused = dev;
    return 0;
}

int sc_may_copy_in_place(const sc_job *job)
{
    int shares = !(job->flags & SC_REFLINK_NEVER) && job->flags & SC_KEEP_HOLES;
    return shares && job->size > 0 && S_ISREG(job->src_st.st_mode) && src_is_on_smb(job);
}

/*
 * Writes src back. CIFS clients before 6.1 do not do so before a server-side copy, which then lacks
 * the dirty pages of this machine. Without dirty pages this costs nothing.
 */
static int flush_src(const sc_job *job)
{
    int all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    return sync_file_range(job->src_fd, 0, 0, (unsigned)all) < 0 ? -errno : 0;
}

/*
 * Shares the extents of src. ioctl_ficlone(2):
 * EOPNOTSUPP ENOTTY ENOSYS  the file system has no clones; a share does not announce that
 * EXDEV                     another file system; another mount before 5.18; another share
 * EINVAL                    not block-aligned; btrfs: src or dst is chattr +C; ZFS: dirty data
 * EBADF ETXTBSY             an O_APPEND dst; a swap file
 * EPERM EACCES              an immutable file, seccomp, a security module
 * ENOSPC                    XFS: no room for more references, perhaps room for data
 * EIO ENOENT                CIFS: the client's errno for a status of the server
 */
static int64_t ficlone(sc_job *job, int64_t length)
{
    return ioctl(job->dst_fd, FICLONE, job->src_fd) < 0 ? -errno : length;
}

static int is_one_request(const sc_job *job)
{
    return job->size <= LONGEST_REQUEST && !(job->flags & SC_TELL_END) && src_is_on_smb(job);
}

/*
 * The SMB server copies the whole file (FSCTL_SRV_COPYCHUNK_WRITE). Unlike copy_file_range, this
 * ioctl never copies through the client, so success means a server-side copy. The client takes the
 * length from src. src must be known to be on CIFS, because clients before 4.5 did not check.
 * EOPNOTSUPP        SMB 1; a server without it (NetApp: no resume key); an empty src
 * EXDEV ENOENT      another server; another share of a Samba server
 * EINVAL            4 GiB and more before 6.4
 * EIO               src shorter on the server than here; RHEL 7 (golang/go#42334)
 * EACCES EPERM      a byte-range lock; libuv/libuv#3354
 * EBUSY EAGAIN      sharing violation; the server is short of resources
 * EBADF ENODATA     a handle is gone; src was truncated meanwhile
 * ENOTTY            dst is not on SMB
 */
static int64_t copychunk(sc_job *job, int64_t length)
{
    int lacking = flush_src(job);
    if (lacking < 0)
        return lacking;
    return ioctl(job->dst_fd, CIFS_IOC_COPYCHUNK_FILE, job->src_fd) < 0 ? -errno : length;
}

/*
 * Before 5.3, copy_file_range could succeed and leave an empty or zero-filled dst
 * (golang/go#42400). The release is read once, when the library is loaded.
 */
static int kernel_is_sound;

__attribute__((constructor)) static void look_at_kernel(void)
{
    struct utsname name;
    int release[2] = {0, 0};
    if (uname(&name) == 0 && sscanf(name.release, "%d.%d", &release[0], &release[1]) == 2)
        kernel_is_sound = release[0] > 5 || (release[0] == 5 && release[1] >= 3);
}

/* glibc has it since 2.27, and wheels are for older ones, too: there, it is NULL. */
ssize_t copy_file_range(int, off_t *, int, off_t *, size_t, unsigned) __attribute__((weak));

/* After copychunk has declined, copy_file_range would copy through the client and not say so. */
static int is_sound(const sc_job *job)
{
    return kernel_is_sound && copy_file_range && !job->report->declined[COPYCHUNK_ROW];
}

/*
 * The file system copies: in the page cache, by reflink, or by the NFS 4.2 or SMB server.
 * copy_file_range(2):
 * ENOSYS                 before 4.5; seccomp; a FUSE server
 * EXDEV                  another file system, unless both have the same copy function
 * EINVAL                 ZFS (moby/moby#41866), eCryptfs, vboxsf; overlapping, not regular
 * EOPNOTSUPP             NFS before 4.2 on RHEL 7 (golang/go#40731)
 * EIO                    CIFS (golang/go#42334); a real EIO comes from read or write, too
 * EPERM EACCES           Docker's seccomp (golang/go#40893), immutable; NFS, Ceph before 4.20
 * EBADF ETXTBSY          an O_APPEND dst, rclone's FUSE; a swap file
 * EOVERFLOW EFBIG        beyond the largest file; spurious EFBIG on 6.17
 * ENOENT ENOTTY          CIFS: another share of a Samba server
 * ENODATA EBUSY EAGAIN   CIFS, as for copychunk
 * ENOMEM ESTALE          if it is real, read or write return it, too
 * nothing copied         procfs, sysfs before 5.19; overlayfs on Fedora 32
 *
 * The kernel stops at the end of src. If the file system knows where that is, a request for one
 * byte more shows that src has not grown, and no read has to.
 */
static int64_t copy_range(sc_job *job, int64_t length)
{
    int lacking = job->copied == 0 && src_is_on_smb(job) ? flush_src(job) : 0;
    if (lacking < 0)
        return lacking;
    int to_the_end = job->exact && job->copied + length == job->size;
    size_t asked = (size_t)(to_the_end ? length + 1 : length);
    ssize_t moved = copy_file_range(job->src_fd, NULL, job->dst_fd, NULL, asked, 0);
    job->ended = to_the_end && moved == length;
    return moved < 0 ? -errno : moved;
}

/*
 * The kernel copies from page cache to page cache. sendfile(2):
 * EINVAL ENOSYS     src cannot be mapped (some of procfs, FUSE with direct_io); seccomp
 * EOVERFLOW         beyond the largest file
 * nothing copied    files of procfs
 */
static int64_t send_file(sc_job *job, int64_t length)
{
    ssize_t moved = sendfile(job->dst_fd, job->src_fd, NULL, (size_t)length);
    return moved < 0 ? -errno : moved;
}

const sc_mechanism sc_mechanisms[] = {
    {"FICLONE", ficlone, NULL, SC_WHOLE_FILE | SC_CLONES},
    [COPYCHUNK_ROW] = {"CIFS_IOC_COPYCHUNK_FILE", copychunk, is_one_request,
                       SC_WHOLE_FILE | SC_MAY_CLONE},
    {"copy_file_range", copy_range, is_sound, SC_MAY_CLONE},
    {"sendfile", send_file, NULL, 0},
    {"read/write", sc_read_write, NULL, SC_ANY_FILE},
    {NULL, NULL, NULL, 0},
};
