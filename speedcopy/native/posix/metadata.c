/*
 * Metadata, on the open descriptors: times, extended attributes, mode, in shutil.copystat's order.
 *
 * The times follow the last write, which changes them. Attributes precede the mode, as a mode
 * without write permission refuses them (EACCES), and an ACL, which is one of them, changes the
 * mode.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* What chmod can change. */
#define PERMISSIONS 07777

/* Notes the first errno of an attribute. Returns the error that this is for the caller, or 0. */
static int refuse(sc_job *job, int attribute, int code, int place)
{
    if (!job->report->refused[attribute])
        job->report->refused[attribute] = code;
    return job->flags & SC_BEST_EFFORT ? 0 : sc_failure(code, place);
}

/* src is looked at by name where its descriptor could not be. */
static int look_at_src(sc_job *job)
{
    int looked = 0;
    if (!job->src_st.st_mode)
        SC_REPEAT(job, looked, fstatat(job->src_dir, job->src, &job->src_st, 0));
    return looked < 0 ? -errno : 0;
}

static int copy_times(sc_job *job)
{
    const struct timespec times[] = {job->src_st.st_atim, job->src_st.st_mtim};
    int result;
    SC_REPEAT(job, result, futimens(job->dst_fd, times));
    return result < 0 ? refuse(job, SC_TIMES, errno, SC_AT_NONE) : 0;
}

/* Names or a value: mostly few bytes, and at most so many that the stack is no place for them. */
typedef struct {
    char few[1024];
    char *many;
    const char *bytes;
} room;

static ssize_t read_xattr(const sc_job *job, const char *name, char *bytes, size_t size)
{
    return name ? sc_get_xattr(job->src_fd, name, bytes, size)
                : sc_list_xattrs(job->src_fd, bytes, size);
}

/* The value of an attribute of src, or with NULL the names of all. Bytes, or -errno. */
static ssize_t fetch(sc_job *job, const char *name, room *into)
{
    ssize_t length;
    into->bytes = into->few;
    SC_REPEAT(job, length, read_xattr(job, name, into->few, sizeof into->few));
    if (length < 0 && errno == ERANGE) {
        if (!into->many)
            into->many = malloc(SC_LONGEST_XATTR);
        if (!into->many)
            return -ENOMEM;
        into->bytes = into->many;
        SC_REPEAT(job, length, read_xattr(job, name, into->many, SC_LONGEST_XATTR));
    }
    return length < 0 ? -errno : length;
}

/*
 * Errnos that shutil does not raise: the file system has no such attribute, or it is not for this
 * user to set. EACCES is one since Python 3.12.
 */
static int is_ignored(const sc_job *job, int code)
{
    return code == EPERM || code == EOPNOTSUPP || code == ENODATA || code == EINVAL ||
           (code == EACCES && !(job->flags & SC_STRICT_ACCESS));
}

/* ENODATA: somebody has removed it from src since. */
static int copy_xattr(sc_job *job, const char *name, room *value)
{
    int place = SC_AT_SRC, result;
    ssize_t code = fetch(job, name, value);
    if (code >= 0) {
        place = SC_AT_DST;
        SC_REPEAT(job, result, sc_set_xattr(job->dst_fd, name, value->bytes, (size_t)code));
        code = result < 0 ? -errno : 0;
    }
    if (code == 0 || code == -ENODATA)
        return 0;
    int refused = refuse(job, SC_XATTRS, (int)-code, place);
    return is_ignored(job, (int)-code) ? 0 : refused;
}

static int copy_each(sc_job *job, room *names, room *value, int *may_change_mode)
{
    ssize_t length = fetch(job, NULL, names);
    if (length == -EOPNOTSUPP || length == -ENODATA || length == -EINVAL)
        return 0; /* src has none */
    if (length < 0)
        return refuse(job, SC_XATTRS, (int)-length, SC_AT_SRC);
    int result = 0;
    const char *end = names->bytes + length;
    for (const char *name = names->bytes; name < end && !result; name += strlen(name) + 1) {
        *may_change_mode |= strncmp(name, "system.", 7) == 0; /* ACLs */
        result = copy_xattr(job, name, value);
    }
    return result;
}

static int copy_xattrs(sc_job *job, int *may_change_mode)
{
    room names = {.many = NULL}, value = {.many = NULL};
    int result = copy_each(job, &names, &value, may_change_mode);
    free(names.many);
    free(value.many);
    return result;
}

/*
 * Only where it differs from what dst had when it was opened. A write may have taken the setuid and
 * setgid bits away since.
 *
 * The owner is not copied. With SC_AS_CP, a program does not get the rights of another owner, as
 * with GNU cp where it cannot keep the owner.
 */
static int copy_mode(sc_job *job, int may_have_changed)
{
    mode_t mode = job->src_st.st_mode & PERMISSIONS;
    int result;
    if (job->flags & SC_AS_CP &&
        (job->src_st.st_uid != job->dst_st.st_uid || job->src_st.st_gid != job->dst_st.st_gid))
        mode &= ~(mode_t)(S_ISUID | S_ISGID);
    if (mode == (job->dst_st.st_mode & PERMISSIONS) && !(mode & (S_ISUID | S_ISGID)) &&
        !may_have_changed)
        return 0;
    SC_REPEAT(job, result, fchmod(job->dst_fd, mode));
    return result < 0 ? refuse(job, SC_PERMISSIONS, errno, SC_AT_DST) : 0;
}

/* Last, as some flags forbid every other change. */
static int copy_flags(sc_job *job)
{
    int result;
    SC_REPEAT(job, result, sc_copy_flags(job));
    return result < 0 ? refuse(job, SC_PERMISSIONS, errno, SC_AT_DST) : 0;
}

int sc_copy_metadata(sc_job *job)
{
    int result = look_at_src(job), may_change_mode = 0;
    if (result < 0) {
        if (job->flags & SC_COPY_TIMES)
            refuse(job, SC_TIMES, -result, SC_AT_SRC);
        return refuse(job, SC_PERMISSIONS, -result, SC_AT_SRC);
    }
    if (job->flags & SC_COPY_TIMES)
        result = copy_times(job);
    if (result == 0 && job->flags & SC_COPY_XATTRS)
        result = copy_xattrs(job, &may_change_mode);
    if (result == 0 && job->flags & SC_COPY_MODE)
        result = copy_mode(job, may_change_mode);
    return result == 0 && job->flags & SC_COPY_XATTRS ? copy_flags(job) : result;
}
