/* One copy on a POSIX system: open, run the table, finish or undo, close. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "posix.h"

/* Linux has closed the descriptor when it returns EINTR: to repeat would close another file. */
static int close_file(int *fd)
{
    int result = *fd < 0 ? 0 : close(*fd);
    *fd = -1;
    return result < 0 && errno != EINTR ? -errno : 0;
}

/*
 * Behind a hole, dst has not its size yet. And src may have been truncated since: what looked
 * like a hole at its end is none, and dst must not be longer than the truth.
 */
static int finish(sc_job *job)
{
    int result = 0;
    if (job->copied > job->written) {
        struct stat now;
        int looked;
        SC_REPEAT(job, looked, fstat(job->src_fd, &now));
        if (looked == 0 && now.st_size < job->copied)
            job->copied = now.st_size > job->written ? now.st_size : job->written;
        result = sc_truncate(job, job->copied);
    }
    if (result == 0 && sc_final_tick(job))
        result = -SC_STOPPED;
    return result;
}

/*
 * An existing dst is not longer than what is known to be right. Where close has failed, the file
 * is opened once more, and touched only if it still is that file.
 */
static void cut_existing(sc_job *job)
{
    struct stat now;
    if (job->dst_fd < 0) {
        job->dst_fd = openat(job->dir, job->dst, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
        if (job->dst_fd < 0 || fstat(job->dst_fd, &now) < 0 || !sc_same_file(&now, &job->dst_st))
            return;
        job->written = job->arrived > 0 ? job->arrived : 0;
    }
    sc_truncate(job, job->written);
}

/*
 * A clone that was refused may have given dst the size of src: the CIFS client sets that before it
 * asks the server.
 */
static void restore_size(sc_job *job)
{
    struct stat now;
    if (fstat(job->dst_fd, &now) == 0 && now.st_size > job->dst_st.st_size &&
        now.st_size == job->size)
        sc_truncate(job, job->dst_st.st_size);
}

/*
 * Removes what this copy has created, if its name still leads to it; in doubt it removes nothing.
 * It is closed first: an SMB server keeps the name of an open file, and the next create of it fails
 * with ENOENT.
 */
static void undo(sc_job *job)
{
    struct stat now;
    if (!job->cancelled && job->arrived > 0 && job->arrived < job->written)
        job->written = job->arrived;
    job->copied = job->written;
    if (job->forked)
        return;
    if (job->created) {
        int ours = job->dst_st.st_mode &&
                   fstatat(job->dir, job->dst, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
                   sc_same_file(&now, &job->dst_st);
        close_file(&job->dst_fd);
        if (ours)
            unlinkat(job->dir, job->dst, 0);
    } else if (S_ISREG(job->dst_st.st_mode) && !sc_same_file(&job->src_st, &job->dst_st)) {
        if (job->touched)
            cut_existing(job);
        else if (job->dst_fd >= 0)
            restore_size(job);
    }
}

/*
 * Nothing was copied, and dst was not opened as the standard library opens it. That may be the
 * reason, so its way is tried before the error is believed.
 */
static int start_plainly(sc_job *job)
{
    struct stat created = job->dst_st;
    close_file(&job->dst_fd);
    int result = sc_open_plainly(job);
    job->created = job->created && sc_same_file(&created, &job->dst_st);
    if (result == 0) {
        job->copied = job->holes = 0;
        lseek(job->src_fd, 0, SEEK_SET);
        int code = sc_run_last(job);
        result = code < 0 ? sc_failure(-code, SC_AT_BOTH) : 0;
    }
    return result;
}

static int run(sc_job *job)
{
    int result = sc_open(job);
    if (result == 0 && !job->cancelled) {
        int code = sc_run_table(job);
        if (code < 0)
            result = sc_failure(-code, SC_AT_BOTH);
        if (code < 0 && job->written == 0 && !job->plain && !job->cancelled && !job->lost &&
            !(job->flags & SC_REFLINK_ALWAYS))
            result = start_plainly(job);
    }
    if (result == 0 && !job->cancelled) {
        int code = finish(job);
        if (code == 0)
            code = close_file(&job->dst_fd);
        if (code < 0)
            result = sc_failure(-code, SC_AT_BOTH);
    }
    if (job->cancelled)
        result = sc_failure(SC_STOPPED, SC_AT_BOTH);
    return result;
}

int sc_copy(const sc_char *src, const sc_char *dst, int flags, void *caller, sc_report *report)
{
    sc_report unread;
    sc_job job = {.src = src,
                  .dst = dst,
                  .flags = flags,
                  .caller = caller,
                  .report = report ? report : &unread,
                  .dir = AT_FDCWD,
                  .src_fd = -1,
                  .dst_fd = -1};
    *job.report = (sc_report){.mechanism = -1, .offloaded = -1};
    int result = run(&job);
    if (result < 0)
        undo(&job);
    job.report->copied = job.copied;
    free(job.buffer);
    close_file(&job.dst_fd);
    close_file(&job.src_fd);
    if (job.dir != AT_FDCWD)
        close(job.dir);
    return result;
}

const char *sc_mechanism_name(int row)
{
    int count = 0;
    while (sc_mechanisms[count].name)
        count++;
    return row < 0 || row >= count ? NULL : sc_mechanisms[row].name;
}
