/*
 * The copy by an SMB server on macOS, for those who ask for it: no Mac has run this.
 *
 * Only system call 227 reaches it (copyfile of xnu-11417, smbfs_vnop_copyfile of SMBClient-494).
 * The client does not update what it has cached of an existing dst. So dst must not exist, and the
 * call makes it. The client looks the name up first, and then creates the file: one that another
 * computer creates in between is replaced, as by the standard library, and removed if the copy
 * fails.
 */
#include "macos.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "posix.h"

/*
 * Bytes. The call cannot be interrupted: the client waits for each reply without a look at signals
 * (smb_iod_waitrq). A server whose disk copies 100 MB a second needs ten seconds for this much, and
 * a user waits no longer for Ctrl-C. What is larger is read and written.
 */
static const int64_t LARGEST = 1024 * SC_MIB;

int sc_may_server_copy(const sc_job *job)
{
    struct statfs fs;
    return job->flags & SC_SERVER_COPY && !(job->flags & SC_TELL_END) && job->size <= LARGEST &&
           fstatfs(job->src_fd, &fs) == 0 && strcmp(fs.f_fstypename, "smbfs") == 0;
}

/* A name for calls that take no directory. 0 or -errno. */
static int full_name(int dir, const char *name, char *path)
{
    size_t length = 0;
    if (name[0] != '/' && dir != AT_FDCWD) {
        if (fcntl(dir, F_GETPATH, path) < 0)
            return -errno;
        length = strlen(path);
        path[length++] = '/';
    }
    if (length + strlen(name) + sizeof "." > PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(path + length, name, strlen(name) + 1);
    return 0;
}

/* Is dst a new name on the volume of src? 0 or -errno. */
static int check_names(const sc_job *job, const char *dst)
{
    char folder[PATH_MAX];
    struct stat st;
    const char *slash = strrchr(dst, '/');
    size_t length = slash ? (size_t)(slash - dst) + 1 : 0;
    memcpy(folder, dst, length);
    memcpy(folder + length, ".", 2);
    if (stat(folder, &st) < 0)
        return -errno;
    if (st.st_dev != job->src_st.st_dev)
        return -EXDEV;
    if (fstatat(AT_FDCWD, dst, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return -EEXIST;
    return errno == ENOENT ? 0 : -errno;
}

/* Closes a file, and removes it if this name still leads to it. */
static void remove_own(int fd, const struct stat *own, const char *name)
{
    struct stat now;
    int result;
    sc_close(&fd);
    SC_INSIST(result, fstatat(AT_FDCWD, name, &now, AT_SYMLINK_NOFOLLOW));
    if (result == 0 && sc_same_file(own, &now))
        SC_INSIST(result, unlinkat(AT_FDCWD, name, 0));
}

/*
 * What would a plain new dst be? The umask and the server decide that, so a file is created, looked
 * at and removed again. smbfs hides names that begin with a dot. 0 or -errno.
 */
static int look_at_new(const sc_job *job, const char *dst, struct stat *plain)
{
    char name[PATH_MAX];
    int removed, result = sc_name_beside(dst, name, sizeof name);
    if (result < 0)
        return result;
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, sc_mode_of_new(job));
    if (fd < 0)
        return -errno;
    SC_INSIST(result, fstat(fd, plain));
    result = result < 0 ? -errno : 0;
    sc_close(&fd);
    SC_INSIST(removed, unlinkat(AT_FDCWD, name, 0));
    const char *slash = strrchr(dst, '/');
    if ((slash ? slash + 1 : dst)[0] != '.')
        plain->st_flags &= ~(unsigned)UF_HIDDEN;
    return result;
}

/*
 * The server has copied: opens dst, checks that it is a whole copy, and makes it plain. What is not
 * is removed, so that another mechanism can make a new dst. 0 or -errno.
 */
static int adopt(sc_job *job, const char *dst, const struct stat *plain)
{
    struct stat found;
    int result, fd;
    SC_INSIST(fd, open(dst, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd < 0)
        return -errno;
    SC_INSIST(result, fstat(fd, &found));
    if (result < 0 || !S_ISREG(found.st_mode) || sc_same_file(&found, &job->src_st)) {
        result = result < 0 ? -errno : -EEXIST;
        sc_close(&fd);
        return result;
    }
    struct stat copy = found;
    result = found.st_size == job->size ? sc_make_plain(plain, fd, &copy) : -EIO;
    if (result < 0) {
        remove_own(fd, &found, dst);
        return result;
    }
    job->dst_fd = fd;
    job->dst_st = copy;
    job->created = 1;
    return 0;
}

/*
 * The server copies data and named streams, which macOS calls extended attributes. smbfs opens dst
 * so that it would be overwritten, and removes it if the copy fails. What a lost connection leaves
 * may be anybody's: dst is then a file that existed.
 * ENOSYS           libSystem has no such call
 * ENOTSUP          not smbfs, or SMB 1
 * EEXIST           dst exists, or is a link that leads nowhere
 * EXDEV            another share
 * EACCES           others may read src and not dst; a server refuses
 * EPERM            an attribute of the copy cannot be removed or set
 * EIO              the copy has another size than src; the server's
 * ENAMETOOLONG     a relative name in a long path
 * EINVAL EBUSY ETIMEDOUT ENOENT ENOSPC EDQUOT  the client's errno for a status of the server
 */
int64_t sc_server_copy(sc_job *job, int64_t length)
{
    char src[PATH_MAX], dst[PATH_MAX];
    struct stat plain;
    int result = __copyfile ? full_name(job->dst_dir, job->dst, dst) : -ENOSYS;
    if (result == 0)
        result = check_names(job, dst);
    if (result == 0 && fcntl(job->src_fd, F_GETPATH, src) < 0)
        result = -errno;
    if (result == 0)
        result = look_at_new(job, dst, &plain);
    if (result == 0 && sc_is_more_open(job->src_st.st_mode, plain.st_mode))
        result = -EACCES;
    /* the server does not see what this computer has not yet written back */
    if (result == 0 && (fsync(job->src_fd) < 0 || __copyfile(src, dst, 0, 0) < 0))
        result = -errno;
    if (result == 0)
        result = adopt(job, dst, &plain);
    return result < 0 ? result : length;
}
