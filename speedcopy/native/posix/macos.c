/*
 * The mechanisms of macOS, fastest first. Each is one function with one call that copies.
 *
 * table.c decides what an errno means; here every errno is only returned. fcopyfile is not used. It
 * reads and writes as read_write.c does, truncates dst to the bytes of this call, even if an
 * earlier mechanism has copied some, and is not interrupted (Apple's copyfile-224).
 * docs/macos.md says what has run on a Mac.
 */
#include "macos.h"

/*
 * The mode decides who may set an attribute, not how the file was opened (vn_setxattr of xnu).
 * After umask 0200 the owner of a new file may not, and so may write for a moment, as in fcopyfile.
 */
static int set_quarantine(const sc_job *job, const char *value, size_t size)
{
    mode_t mode = job->dst_st.st_mode & ALLPERMS;
    int result = fsetxattr(job->dst_fd, SC_QUARANTINE, value, size, 0, 0);
    if (result == 0 || errno != EACCES || mode & S_IWUSR)
        return result < 0 ? -errno : 0;
    if (fchmod(job->dst_fd, mode | S_IWUSR) < 0)
        return -EACCES;
    result = fsetxattr(job->dst_fd, SC_QUARANTINE, value, size, 0, 0) < 0 ? -errno : 0;
    return fchmod(job->dst_fd, mode) < 0 ? -errno : result;
}

/*
 * Carries the quarantine, as the fcopyfile of the standard library does. As there, an attribute
 * that cannot be read is none, and one that cannot be set fails the copy.
 */
static int carry_quarantine(const sc_job *job)
{
    char value[SC_LONGEST_NAMES];
    ssize_t size = fgetxattr(job->src_fd, SC_QUARANTINE, value, sizeof value, 0, 0);
    return size < 0 ? 0 : set_quarantine(job, value, (size_t)size);
}

/* dst is marked before it has data: whoever opens it meanwhile sees the quarantine. */
static int64_t read_write(sc_job *job, int64_t length)
{
    int is_start = job->copied == 0 && S_ISREG(job->src_st.st_mode) && S_ISREG(job->dst_st.st_mode);
    int result = is_start ? carry_quarantine(job) : 0;
    return result < 0 ? result : sc_read_write(job, length);
}

const sc_mechanism sc_mechanisms[] = {
    {"fclonefileat", sc_clone, NULL, SC_WHOLE_FILE | SC_CLONES | SC_NEW_FILE},
    {"__copyfile", sc_server_copy, sc_may_server_copy, SC_WHOLE_FILE | SC_MAY_CLONE | SC_MAKES_DST},
    {"read/write", read_write, NULL, SC_ANY_FILE},
    {NULL, NULL, NULL, 0},
};
