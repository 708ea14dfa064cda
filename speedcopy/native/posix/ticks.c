/* The calls back into Python: signal handlers, the callback, and when either is due. */
#include <time.h>
#include <unistd.h>

#include "posix.h"

/* Of the callback: a slow one is called at least so often. */
static const int64_t LONGEST_PAUSE = 1000 * SC_MILLISECOND;

int64_t sc_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * SC_MILLISECOND + now.tv_nsec;
}

/* Whatever stops a copy does so once. A callback that forks leaves the copy to the parent. */
static int tick(sc_job *job, int64_t total)
{
    pid_t parent = getpid();
    if (!job->cancelled && sc_tick(job->caller, job->copied, total))
        job->cancelled = 1;
    if (getpid() != parent)
        job->cancelled = job->forked = 1;
    return job->cancelled;
}

int sc_interrupted(sc_job *job)
{
    return tick(job, -1);
}

int sc_final_tick(sc_job *job)
{
    return job->flags & SC_TELL_END ? tick(job, job->copied) : 0;
}

int64_t sc_start_clock(sc_job *job)
{
    int64_t now = sc_now();
    if (!job->next_tick)
        job->next_tick = now + SC_TICK;
    return now;
}

/*
 * Calls the callback if it is time. A slow one, or Python's lock in the hands of busy threads, must
 * not take most of the copy's time: it is called the less often. A call that was cut short may have
 * met a signal (sendfile on FUSE then returns so, and not EINTR), and the next one may wait for
 * ever; so the handlers run at once. Returns when that has ended.
 */
int64_t sc_tick_in_time(sc_job *job, int64_t now, int is_short)
{
    int is_time = now >= job->next_tick;
    if (!is_time && !(is_short && now >= job->quiet_until))
        return now;
    tick(job, !is_time ? -1 : job->size > job->copied ? job->size : job->copied);
    int64_t ended = sc_now(), pause = 4 * (ended - now);
    pause = pause > LONGEST_PAUSE ? LONGEST_PAUSE : pause;
    job->quiet_until = ended + pause;
    if (is_time)
        job->next_tick = ended + (pause < SC_TICK ? SC_TICK : pause);
    return ended;
}
