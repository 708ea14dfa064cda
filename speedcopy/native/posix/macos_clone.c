/*
 * A clone on macOS that has the same outcome as a plain copy to a new dst.
 *
 * fclonefileat creates the name that it clones to. So the clone gets a temporary name beside dst,
 * is made into what the new dst is, and is renamed over dst. dst is never removed to free its name:
 * another program could create a file there, which would then have to be removed, too.
 */
#include "macos.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/attr.h>
#include <sys/clonefile.h>
#include <sys/resource.h>
#include <unistd.h>

#include "posix.h"

/*
 * The flags that may be carried for a moment. Of the others, "locked" flags prevent the clean-up if
 * this process is killed, UF_COMPRESSED hides attributes that hold the data, and SF_DATALESS means
 * that the data is in the cloud.
 */
static const uint32_t HARMLESS_FLAGS = UF_NODUMP | UF_TRACKED | UF_HIDDEN;

/*
 * Does the volume clone? Only a clear "no" counts, as older kernels answer for the root of a volume
 * only (getvolattrlist of xnu). A share is then not asked to look up the temporary name.
 */
static int volume_clones(const sc_job *job)
{
    struct attrlist wanted = {.bitmapcount = ATTR_BIT_MAP_COUNT,
                              .volattr = ATTR_VOL_INFO | ATTR_VOL_CAPABILITIES};
    struct {
        uint32_t length;
        vol_capabilities_attr_t capabilities;
    } found;
    if (fgetattrlist(job->src_fd, &wanted, &found, sizeof found, 0) < 0)
        return 1;
    return !!(found.capabilities.capabilities[VOL_CAPABILITIES_INTERFACES] & VOL_CAP_INT_CLONE);
}

/* The kernel applies the limit to writes only, and a plain copy fails with EFBIG. */
static int is_within_limit(const sc_job *job)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) < 0 || (rlim_t)job->size <= limit.rlim_cur;
}

/* The clone has the mode of src until it is made plain: nobody may read it who may not read dst. */
static int refusal(const sc_job *job)
{
    mode_t mode = job->src_st.st_mode;
    if (job->src_st.st_dev != job->dst_st.st_dev)
        return -EXDEV;
    if (job->src_st.st_flags & ~HARMLESS_FLAGS)
        return -EPERM;
    if (!(mode & S_IRUSR) || sc_is_more_open(mode, job->dst_st.st_mode))
        return -EACCES;
    if (!is_within_limit(job))
        return -EFBIG;
    return volume_clones(job) ? 0 : -ENOTSUP;
}

int sc_name_beside(const char *dst, char *name, size_t size)
{
    static const char PREFIX[] = ".speedcopy-", DIGITS[] = "0123456789abcdef";
    const char *slash = strrchr(dst, '/');
    size_t folder = slash ? (size_t)(slash - dst) + 1 : 0;
    if (folder + sizeof PREFIX + 2 * sizeof(uint32_t) > size)
        return -ENAMETOOLONG;
    memcpy(name, dst, folder);
    memcpy(name + folder, PREFIX, sizeof PREFIX);
    char *end = name + folder + sizeof PREFIX - 1;
    for (uint32_t left = arc4random(), digit = 0; digit < 8; digit++, left /= 16)
        *end++ = DIGITS[left % 16];
    *end = 0;
    return 0;
}

/* A plain copy carries the quarantine and no other attribute. */
static int remove_xattrs(int fd)
{
    char names[SC_LONGEST_NAMES];
    ssize_t length = flistxattr(fd, names, sizeof names, 0);
    if (length < 0)
        return -errno;
    for (const char *name = names; name < names + length; name += strlen(name) + 1)
        if (strcmp(name, SC_QUARANTINE) != 0 && fremovexattr(fd, name, 0) < 0 && errno != ENOATTR)
            return -errno;
    return 0;
}

/*
 * The owner and the group of a clone can differ only if the volume ignores CLONE_NOOWNERCOPY.
 * fsetattrlist packs the values in the order of the bits (setattrlist_internal of xnu).
 */
int sc_make_plain(const struct stat *plain, int fd, struct stat *copy)
{
    struct attrlist given = {.bitmapcount = ATTR_BIT_MAP_COUNT,
                             .commonattr = ATTR_CMN_CRTIME | ATTR_CMN_MODTIME | ATTR_CMN_ACCTIME |
                                           ATTR_CMN_ACCESSMASK | ATTR_CMN_FLAGS};
    struct {
        struct timespec created, changed, read;
        uint32_t mode, flags;
    } values = {plain->st_birthtimespec, plain->st_mtimespec, plain->st_atimespec,
                plain->st_mode & ALLPERMS, plain->st_flags};
    if (fsetattrlist(fd, &given, &values, sizeof values, 0) < 0)
        return -errno;
    int result = remove_xattrs(fd);
    if (result < 0)
        return result;
    if (fstat(fd, copy) < 0)
        return -errno;
    int is_plain = copy->st_mode == plain->st_mode && copy->st_flags == plain->st_flags &&
                   copy->st_uid == plain->st_uid && copy->st_gid == plain->st_gid;
    return is_plain ? 0 : -EPERM;
}

/* Puts the clone in the place of the dst that this copy has created, and of no other file. */
static int replace_dst(const sc_job *job, const char *name)
{
    struct stat now;
    if (fstatat(job->dst_dir, job->dst, &now, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!sc_same_file(&now, &job->dst_st))
        return -EEXIST;
    return renameat(job->dst_dir, name, job->dst_dir, job->dst) < 0 ? -errno : 0;
}

/* Makes the new clone the dst of this copy, or removes it. 0 or -errno. */
static int adopt(sc_job *job, const char *name)
{
    struct stat clone;
    int removed, fd = openat(job->dst_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int result = fd < 0 ? -errno : sc_make_plain(&job->dst_st, fd, &clone);
    if (result == 0)
        result = replace_dst(job, name);
    if (result == 0) {
        sc_close(&job->dst_fd);
        job->dst_fd = fd;
        job->dst_st = clone;
        return 0;
    }
    sc_close(&fd);
    SC_INSIST(removed, unlinkat(job->dst_dir, name, 0));
    return result;
}

/*
 * Shares the extents of src. clonefile(2), and clonefile_internal of xnu:
 * ENOTSUP          the volume has no clones (HFS+, exFAT, SMB)
 * EXDEV            another volume
 * EEXIST           the temporary name is taken; dst was replaced meanwhile
 * EPERM            a locked, compressed or dataless src; an attribute that cannot be removed
 * EFBIG            more than RLIMIT_FSIZE
 * EACCES           others may read src and not dst; no permission for the directory
 * ENAMETOOLONG     the temporary name is longer than that of dst
 * ENOSPC EDQUOT    no room for the metadata, perhaps room for data
 * EROFS EIO EINVAL real, or the volume's own; read or write then return it, too
 */
int64_t sc_clone(sc_job *job, int64_t length)
{
    char name[PATH_MAX];
    int result = refusal(job);
    if (result == 0)
        result = sc_name_beside(job->dst, name, sizeof name);
    if (result == 0 &&
        fclonefileat(job->src_fd, job->dst_dir, name, CLONE_NOFOLLOW | CLONE_NOOWNERCOPY) < 0)
        result = -errno;
    if (result == 0)
        result = adopt(job, name);
    return result < 0 ? result : length;
}
