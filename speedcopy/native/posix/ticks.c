/* The calls back into Python: for signal handlers, for the callback, and when each is due. */
#include <time.h>
#include <unistd.h>

#include "core.h"

/* The longest pause after a slow callback. */
static const int64_t LONGEST_PAUSE = 1000 * SC_MILLISECOND;

int64_t sc_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * SC_MILLISECOND + now.tv_nsec;
}

/* If a callback forks, the child stops copying. */
static int call(void *caller, int64_t copied, int64_t total, int *forked)
{
    pid_t parent = getpid();
    int stops = sc_tick(caller, copied, total);
    *forked = getpid() != parent;
    return stops || *forked;
}

/* Python is not called again once the copy stops. */
static int tick(sc_job *job, int64_t total)
{
    if (!job->cancelled)
        job->cancelled = call(job->caller, job->copied, total, &job->forked);
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

/* A call takes long if the callback is slow, or if busy threads hold Python's lock. */
static int64_t pause_after(int64_t duration)
{
    return 4 * duration > LONGEST_PAUSE ? LONGEST_PAUSE : 4 * duration;
}

static int64_t next_after(int64_t began, int64_t ended)
{
    int64_t pause = pause_after(ended - began);
    return ended + (pause < SC_TICK ? SC_TICK : pause);
}

/*
 * Calls the callback if it is due. After a long call, the next one is later, so that callbacks do
 * not take most of the time. After a short copy, signal handlers run at once: a signal may be the
 * reason (sendfile on FUSE then returns fewer bytes and not EINTR), and the next system call may
 * wait for ever. Returns the time after the call.
 */
int64_t sc_tick_in_time(sc_job *job, int64_t now, int is_short)
{
    int is_time = now >= job->next_tick;
    if (!is_time && !(is_short && now >= job->quiet_until))
        return now;
    tick(job, !is_time ? -1 : job->size > job->copied ? job->size : job->copied);
    int64_t ended = sc_now();
    job->quiet_until = ended + pause_after(ended - now);
    if (is_time)
        job->next_tick = next_after(now, ended);
    return ended;
}

int sc_tick_between(void *caller, int64_t *next_tick)
{
    int forked;
    int64_t now = sc_now();
    if (now < *next_tick)
        return 0;
    int stops = call(caller, 0, 0, &forked);
    *next_tick = next_after(now, sc_now());
    return stops;
}
