/*
 * Running the table: the one loop and the one fallback rule.
 *
 * Rows are asked in order. A row that cannot is declined with its errno, and the next one
 * goes on from the byte where it stood; so whatever a fast path says, at any offset, the last
 * row has the last word, and it is the plain read and write that the standard library would
 * have done. Only a full disk is believed at once: no other way of writing would fit.
 */
#include "rounds.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define MIB ((int64_t)1 << 20)
#define MILLISECOND ((int64_t)1000000)

/*
 * A round ends within a tick or so on anything from a floppy to a RAM disk: it grows while
 * rounds are quick and shrinks when they are slow. 16 MiB is the most, because a page cache
 * takes gigabytes at once until it is full and then goes at the speed of the disk behind it.
 */
static const int64_t FIRST_ROUND = MIB;
static const int64_t SHORTEST_ROUND = MIB / 16;
static const int64_t LONGEST_ROUND = 16 * MIB;
static const int64_t TICK = 50 * MILLISECOND;

int sc_declines_always(int code)
{
    (void)code;
    return 1;
}

int sc_declines_unless_full(int code)
{
    return code != ENOSPC && code != EDQUOT;
}

int sc_declines_never(int code)
{
    (void)code;
    return 0;
}

int sc_is_declined(const sc_job *job, int64_t (*copy)(sc_job *job, int64_t length))
{
    for (int row = 0; sc_mechanisms[row].name; row++)
        if (sc_mechanisms[row].copy == copy)
            return job->report->declined[row] != 0;
    return 0;
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * MILLISECOND + now.tv_nsec;
}

static int tick(sc_job *job, int64_t total)
{
    if (sc_tick(job->caller, job->copied, total))
        job->cancelled = 1;
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

int sc_cut(sc_job *job, int64_t size)
{
    job->touched = 1;
    while (ftruncate(job->dst_fd, size) < 0)
        if (errno != EINTR)
            return -errno;
    job->dst_size = size;
    return 0;
}

/*
 * Moves both files over a hole. Returns how much of `length` is data, 0 if only a hole is
 * left: the final cut of dst makes that one.
 */
static int64_t data_ahead(sc_job *job, int64_t length)
{
    if (job->copied >= job->data_end) {
        off_t data = lseek(job->src_fd, job->copied, SEEK_DATA);
        if (data < 0 && errno != ENXIO) {
            job->holes = 0;
            return length;
        }
        if (data < 0 || data >= job->size) {
            job->copied = job->size;
            return 0;
        }
        off_t hole = lseek(job->src_fd, data, SEEK_HOLE);
        job->data_end = hole < 0 || hole > job->size ? job->size : hole;
        if (lseek(job->src_fd, data, SEEK_SET) < 0 || lseek(job->dst_fd, data, SEEK_SET) < 0)
            return -errno;
        job->copied = data;
    }
    int64_t data_left = job->data_end - job->copied;
    return length < data_left ? length : data_left;
}

/*
 * Makes dst fit for a row that writes into it. What will not be written over must be gone; and
 * a copy that is killed half-way must not pass for whole, so a dst that is already as long as
 * src gives up its last byte, which only the last round brings back. Not more: on ext4, 32 MiB
 * over an existing file take 6.4 ms after such a cut and 20 ms after a cut to 0. One round is
 * not worth the request. The look at dst finds what a refused clone has left: the CIFS client
 * sets the size before it asks the server.
 */
static int prepare(sc_job *job, const sc_mechanism *mechanism)
{
    int64_t fits = job->size;
    struct stat now;
    if (job->copied > 0 || !S_ISREG(job->dst_st.st_mode))
        return 0;
    if (!(mechanism->traits & SC_WHOLE_FILE)) {
        if (job->size > FIRST_ROUND) {
            fits = job->size - 1;
            if (fstat(job->dst_fd, &now) == 0) {
                job->dst_size = now.st_size;
                job->dst_st.st_dev = now.st_dev;
            }
        }
        job->holes = job->flags & SC_KEEP_HOLES && job->src_st.st_blocks < job->size / 512 &&
                     sc_holes_known(job->src_fd);
        if (job->holes)
            fits = 0;
    }
    return job->dst_size > fits ? sc_cut(job, fits) : 0;
}

static int64_t next_round(int64_t round, int64_t took, int whole)
{
    if (took < TICK / 4 && whole)
        round *= 4;
    else if (took > TICK * 4)
        round /= 4;
    return round > LONGEST_ROUND ? LONGEST_ROUND : round < SHORTEST_ROUND ? SHORTEST_ROUND : round;
}

static int64_t start_clock(sc_job *job)
{
    int64_t now = nanoseconds();
    if (!job->next_tick)
        job->next_tick = now + TICK;
    return now;
}

static int64_t in_rounds(sc_job *job, const sc_mechanism *mechanism)
{
    int to_the_end = mechanism->traits & SC_ANY_FILE;
    int64_t round = FIRST_ROUND, started = 0;
    while (job->copied < job->size || (to_the_end && job->size == 0)) {
        int64_t left = job->size ? job->size - job->copied : SHORTEST_ROUND;
        int64_t length = round < left ? round : left;
        if (job->holes && (length = data_ahead(job, length)) <= 0)
            return length;
        if (!started && (length < left || !job->size))
            started = start_clock(job);
        int64_t moved = mechanism->copy(job, length);
        if (moved == -EINTR && !sc_interrupted(job))
            continue;
        if (moved <= 0)
            return moved ? moved : to_the_end ? 0 : -SC_NO_DATA;
        job->copied += moved;
        job->touched = 1;
        job->report->mechanism = (int32_t)(mechanism - sc_mechanisms);
        if (job->dst_size < job->copied)
            job->dst_size = job->copied;
        if (job->copied == job->size)
            return 0;

        if (!started)
            started = start_clock(job);
        int written = sc_write_out(job);
        if (written < 0) {
            job->lost = 1;
            return written;
        }
        int64_t now = nanoseconds();
        round = next_round(round, now - started, moved == length);
        started = now;
        if (now >= job->next_tick) {
            job->next_tick = now + TICK;
            if (tick(job, job->size > job->copied ? job->size : job->copied))
                return -SC_STOPPED;
        }
    }
    return 0;
}

static int64_t call_whole(sc_job *job, const sc_mechanism *mechanism)
{
    int64_t moved;
    do
        moved = mechanism->copy(job, job->size);
    while (moved == -EINTR && !sc_interrupted(job));
    return moved;
}

/*
 * All in one call. A clone that would leave a tail beyond it must end on a block boundary, or
 * it is EINVAL; only then is the tail cut first, so that a refused clone has harmed nothing.
 */
static int64_t at_once(sc_job *job, const sc_mechanism *mechanism)
{
    int clones = mechanism->traits & SC_CLONES;
    int64_t moved = call_whole(job, mechanism);
    if (moved == -EINVAL && clones && job->dst_size > job->size)
        moved = sc_cut(job, job->size) < 0 ? -EINVAL : call_whole(job, mechanism);
    if (job->dst_size < job->size)
        job->dst_size = job->size;
    job->touched |= moved >= 0 || !clones;
    if (moved < 0)
        return moved;
    job->copied = job->size;
    job->report->mechanism = (int32_t)(mechanism - sc_mechanisms);
    return 0;
}

static int is_wanted(const sc_job *job, const sc_mechanism *mechanism)
{
    int clones = mechanism->traits & SC_CLONES;
    int regular = S_ISREG(job->src_st.st_mode) && S_ISREG(job->dst_st.st_mode);
    if (job->flags & SC_REFLINK_ALWAYS)
        return clones && regular;
    if (job->flags & SC_REFLINK_NEVER && (clones || mechanism->traits & SC_MAY_CLONE))
        return 0;
    if (!(mechanism->traits & SC_ANY_FILE) && (!regular || job->size == 0))
        return 0;
    return !mechanism->applies || mechanism->applies(job);
}

int sc_run_table(sc_job *job)
{
    for (const sc_mechanism *row = sc_mechanisms; row->name; row++) {
        int whole = row->traits & SC_WHOLE_FILE;
        int64_t result;
        if (!is_wanted(job, row))
            continue;
        result = row->traits & SC_CLONES ? 0 : prepare(job, row);
        if (result == 0)
            result = whole ? at_once(job, row) : in_rounds(job, row);
        if (result == 0) {
            if (job->report->mechanism < 0)
                job->report->mechanism = (int32_t)(row - sc_mechanisms);
            return 0;
        }
        job->report->declined[row - sc_mechanisms] = (int32_t)-result;
        if (job->cancelled)
            return -SC_STOPPED;
        if (job->lost || !row->declines((int)-result))
            return (int)result;
    }
    return -EOPNOTSUPP;
}
