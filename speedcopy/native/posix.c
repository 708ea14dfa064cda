/* One copy on a POSIX system: open, guard, run the table, finish, close. */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "open.h"
#include "rounds.h"

static int close_file(int *fd)
{
    int result = *fd < 0 ? 0 : close(*fd);
    *fd = -1;
    return result < 0 && errno != EINTR ? -errno : 0;
}

/*
 * The NFS client tells an error of writing in the background, which may have been another program's
 * and long ago, at every close of the file until somebody has heard it from fsync. As of the
 * standard library's copy, it must be told once.
 */
static void hear_write_error(const sc_job *job)
{
    int fd = open(job->dst, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static int close_dst(sc_job *job)
{
    int result = close_file(&job->dst_fd);
    if (result < 0 && !job->created && S_ISREG(job->dst_st.st_mode))
        hear_write_error(job);
    return result;
}

/*
 * dst gets exactly the size of what was copied. One that was there and that nothing was written
 * to, as both are empty, is cut to its size all the same: for the time stamp, which make reads.
 */
static int finish(sc_job *job)
{
    int result = 0, stamped = job->created || job->touched;
    if (S_ISREG(job->dst_st.st_mode) && (job->dst_size != job->copied || !stamped))
        result = sc_cut(job, job->copied);
    if (result == 0 && sc_final_tick(job))
        result = -SC_STOPPED;
    return result;
}

/*
 * An existing dst that nothing was written to gets its size back, which a refused clone may have
 * changed. A new one is closed before it is unlinked: an SMB server keeps the name of an open file,
 * and the next create of it fails with ENOENT. dst may have been a dangling link, and somebody may
 * have put another file there since.
 */
static void undo(sc_job *job)
{
    struct stat now;
    int64_t size = job->dst_st.st_size;
    if (!job->created) {
        if (job->dst_fd < 0 || !S_ISREG(job->dst_st.st_mode) ||
            sc_same_file(&job->src_st, &job->dst_st))
            return;
        if (job->touched)
            sc_cut(job, job->copied);
        else if (fstat(job->dst_fd, &now) == 0 && now.st_size != size)
            sc_cut(job, size);
        return;
    }
    char *target = NULL;
    const char *path = job->dst;
    if (lstat(path, &now) == 0 && S_ISLNK(now.st_mode))
        path = target = realpath(path, NULL);
    int ours = job->dst_fd < 0 || fstat(job->dst_fd, &job->dst_st) < 0 ||
               (path && stat(path, &now) == 0 && sc_same_file(&now, &job->dst_st));
    close_file(&job->dst_fd);
    if (path && ours)
        unlink(path);
    free(target);
}

static int run(sc_job *job)
{
    int result = sc_open(job);
    if (result == 0) {
        int code = sc_run_table(job);
        if (code == 0)
            code = finish(job);
        if (code == 0)
            code = close_dst(job);
        if (code < 0)
            result = sc_failure(-code, SC_AT_BOTH);
    }
    if (job->cancelled)
        result = sc_failure(SC_STOPPED, SC_AT_BOTH);
    if (result < 0)
        undo(job);
    return result;
}

int sc_copy(const sc_char *src, const sc_char *dst, int flags, void *caller, sc_report *report)
{
    sc_report unread;
    sc_job job = {.src = src,
                  .dst = dst,
                  .src_fd = -1,
                  .dst_fd = -1,
                  .flags = flags,
                  .caller = caller,
                  .report = report ? report : &unread};
    *job.report = (sc_report){.mechanism = -1, .offloaded = -1};
    int result = run(&job);
    job.report->copied = job.copied;
    free(job.buffer);
    close_file(&job.dst_fd);
    close_file(&job.src_fd);
    return result;
}

const char *sc_mechanism_name(int row)
{
    int count = 0;
    while (sc_mechanisms[count].name)
        count++;
    return row < 0 || row >= count ? NULL : sc_mechanisms[row].name;
}
