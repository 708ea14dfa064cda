/* One copy on a POSIX system: open, run the table, finish or undo, close. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "posix.h"

/*
 * If src ends with a hole, dst does not have its size yet. src may also have been truncated
 * meanwhile: what looked like a hole is then past its end, and dst must not include that.
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
        /* seccomp may refuse ftruncate; writing the last byte of the hole has the same outcome */
        if (result < 0 && job->copied > job->written &&
            pwrite(job->dst_fd, "", 1, job->copied - 1) == 1)
            result = 0;
    }
    if (result == 0 && sc_final_tick(job))
        result = -SC_STOPPED;
    return result;
}

/*
 * Truncates an existing dst to what is known to be correct. If close has failed, dst is opened
 * again by name, and left alone if that name is now another file's.
 */
static void cut_existing(sc_job *job)
{
    struct stat now;
    int looked = 0;
    if (job->dst_fd < 0) {
        SC_INSIST(job->dst_fd, openat(job->dst_dir, job->dst, O_WRONLY | O_CLOEXEC | O_NONBLOCK));
        if (job->dst_fd >= 0)
            SC_INSIST(looked, fstat(job->dst_fd, &now));
        if (job->dst_fd < 0 || looked < 0 || !sc_same_file(&now, &job->dst_st))
            return;
        job->written = job->arrived > 0 ? job->arrived : 0;
    }
    sc_truncate(job, job->written);
}

static int is_still_there(const sc_job *job)
{
    struct stat now;
    int result;
    SC_INSIST(result, fstatat(job->dst_dir, job->dst, &now, AT_SYMLINK_NOFOLLOW));
    return result == 0 && job->dst_st.st_mode && sc_same_file(&now, &job->dst_st);
}

/*
 * Removes a dst that this copy created, or truncates an existing dst. A created dst is removed only
 * if its name still leads to it. It is closed first, because an SMB server keeps the name of an
 * open file, and the next create of that name fails with ENOENT. Closing may take long on FUSE, so
 * the name is looked up again afterwards.
 */
static void undo(sc_job *job)
{
    int result;
    if (!job->cancelled && job->arrived > 0 && job->arrived < job->written)
        job->written = job->arrived;
    if (job->forked)
        return;
    if (job->created) {
        if (!job->dst_st.st_mode && job->dst_fd >= 0)
            SC_INSIST(result, fstat(job->dst_fd, &job->dst_st));
        int was_there = is_still_there(job);
        sc_close(&job->dst_fd);
        if (was_there && is_still_there(job))
            SC_INSIST(result, unlinkat(job->dst_dir, job->dst, 0));
    } else if (S_ISREG(job->dst_st.st_mode) && job->touched) {
        cut_existing(job);
    }
    job->copied = job->written;
}

/* Was nothing copied, perhaps only because dst was not opened as the standard library opens it? */
static int may_start_again(const sc_job *job, int code)
{
    return !job->plain && job->written == 0 && job->size > 0 && !job->cancelled && !job->lost &&
           !(job->flags & SC_REFLINK_ALWAYS) && code != -ENOSPC && code != -EDQUOT;
}

/*
 * Before the error `first` is returned, the standard library's way is tried: dst is opened again
 * with O_TRUNC, by its descriptor, as the name may be another file's by now. 0 or -errno.
 */
static int start_plainly(sc_job *job, int first)
{
    return sc_reopen_plainly(job) < 0 ? first : sc_run_last(job);
}

/* `refusal`: of metadata; all data has been copied then. */
static int run(sc_job *job, int *refusal)
{
    int result = sc_open_src(job);
    /* a row may make dst; otherwise dst is opened for the others */
    if (result == 0 && sc_run_table(job) < 0)
        result = sc_open_dst(job);
    if (result == 0 && !job->cancelled) {
        int code = sc_run_table(job);
        if (code < 0 && may_start_again(job, code))
            code = start_plainly(job, code);
        if (code == 0)
            code = finish(job);
        if (code == 0 && job->flags & (SC_COPY_MODE | SC_COPY_TIMES | SC_COPY_XATTRS))
            *refusal = sc_copy_metadata(job);
        if (code == 0)
            code = sc_close(&job->dst_fd);
        if (code == -EINTR)
            sc_interrupted(job);
        if (code < 0)
            result = sc_failure(-code, SC_AT_BOTH);
    }
    if (job->cancelled)
        result = sc_failure(SC_STOPPED, SC_AT_BOTH);
    return result;
}

static int copy(void *caller, const sc_directories *directories, const sc_char *src,
                const sc_char *dst, int flags, sc_report *report)
{
    sc_report unread;
    sc_job job = {.src = src,
                  .dst = dst,
                  .flags = flags,
                  .caller = caller,
                  .report = report ? report : &unread,
                  .directories = directories,
                  .here = AT_FDCWD,
                  .src_dir = directories ? directories->src : AT_FDCWD,
                  .dst_dir = directories ? directories->dst : AT_FDCWD,
                  .src_fd = -1,
                  .dst_fd = -1};
    *job.report = (sc_report){.mechanism = -1, .offloaded = -1};
    int refusal = 0, result = run(&job, &refusal);
    if (result < 0)
        undo(&job);
    else
        result = refusal;
    job.report->copied = job.copied;
    free(job.buffer);
    sc_close(&job.dst_fd);
    sc_close(&job.src_fd);
    if (job.here != AT_FDCWD)
        close(job.here);
    return result;
}

int sc_copy(void *caller, const sc_char *src, const sc_char *dst, int flags, sc_report *report)
{
    return copy(caller, NULL, src, dst, flags, report);
}

/* sc_tick is also called between files, each of which may take less than a tick. */
int sc_copy_names(void *caller, const sc_directories *directories, const sc_char *names, int count,
                  int flags, sc_batch *batch)
{
    int64_t next_tick = sc_now() + SC_TICK;
    *batch = (sc_batch){0};
    for (; batch->done < count; batch->done++, names += strlen(names) + 1) {
        if (sc_now() >= next_tick) {
            if (sc_tick_between(caller))
                return sc_failure(SC_STOPPED, SC_AT_BOTH);
            next_tick = sc_now() + SC_TICK;
        }
        int result = copy(caller, directories, names, names, flags, &batch->last);
        if (result < 0)
            return result;
        batch->copied += batch->last.copied;
    }
    return 0;
}

const char *sc_mechanism_name(int row)
{
    int count = 0;
    while (sc_mechanisms[count].name)
        count++;
    return row < 0 || row >= count ? NULL : sc_mechanisms[row].name;
}
