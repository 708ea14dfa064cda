/* dst: the mode of a new one; truncated, opened again, closed. */
#include <unistd.h>

#include "posix.h"

/*
 * A new file is never readable for more users than it is in the end. Its owner may always write to
 * it: setting an extended attribute needs that, and so does replacing what a killed copy has left.
 *
 * GNU cp gives a new file the mode once, when it is created: src's permissions under the umask, or
 * under the default ACL of the directory.
 */
mode_t sc_mode_of_new(const sc_job *job)
{
    if (job->flags & SC_AS_CP && !(job->flags & SC_COPY_MODE))
        return job->src_st.st_mode ? job->src_st.st_mode & 0777 : S_IRUSR | S_IWUSR;
    int is_known = job->flags & SC_COPY_MODE && job->src_st.st_mode;
    return is_known ? (job->src_st.st_mode & 0777) | S_IWUSR : 0666;
}

/* Runs after Ctrl-C, too: dst must end where its correct data ends. */
int sc_truncate(sc_job *job, int64_t size)
{
    int result, tries = SC_MOST_TRIES;
    while ((result = ftruncate(job->dst_fd, size)) < 0 && errno == EINTR && tries-- > 0)
        sc_interrupted(job);
    return result < 0 ? -errno : 0;
}

/* Removes the content of dst, whether old or left by a declined clone. 0 or -errno. */
int sc_empty(sc_job *job)
{
    job->touched = 1;
    int result = sc_truncate(job, 0);
    if (result == 0) {
        job->in_place = 0;
        job->dst_st.st_size = 0;
        sc_forget_errors(job);
    }
    return result;
}

/* Opens dst once more with O_TRUNC, as the standard library does. 0, or -1 if that fails. */
int sc_reopen_plainly(sc_job *job)
{
    int again = lseek(job->src_fd, 0, SEEK_SET) < 0 ? -1 : sc_open_again(job->dst_fd);
    if (again < 0)
        return -1;
    sc_close(&job->dst_fd);
    job->dst_fd = again;
    job->plain = job->touched = 1;
    job->copied = job->holes = 0;
    return 0;
}

/*
 * Not repeated after EINTR: Linux has closed the descriptor by then, and a second close could hit
 * another file. EINTR is returned as an error, because it is not known whether all data was
 * written. shutil raises it, too.
 */
int sc_close(int *fd)
{
    int result = *fd < 0 ? 0 : close(*fd);
    *fd = -1;
    return result < 0 ? -errno : 0;
}
