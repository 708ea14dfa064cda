/* Runs one mechanism in rounds: how long each round is, and which holes are skipped. */
#include <unistd.h>

#include "core.h"

/*
 * A round shall take about one tick, on a floppy as on a RAM disk. So rounds grow while they are
 * quick and shrink when they are slow. They stop at 16 MiB, because a page cache takes gigabytes
 * quickly and, once it is full, no more than the disk can write.
 */
static const int64_t FIRST_ROUND = SC_MIB;
static const int64_t SHORTEST_ROUND = SC_MIB / 16;
static const int64_t LONGEST_ROUND = 16 * SC_MIB;

/* Bytes of a round that only has to find the end of src. */
static const int64_t LOOK_FOR_MORE = 4096;

static int seek_both(const sc_job *job, int64_t to)
{
    return lseek(job->dst_fd, to, SEEK_SET) < 0 || lseek(job->src_fd, to, SEEK_SET) < 0 ? -errno
                                                                                        : 0;
}

/* Stops looking for holes. Both file positions go back to `copied`, or the copy fails. */
static int64_t give_up_holes(sc_job *job, int64_t length)
{
    int result = seek_both(job, job->copied);
    job->holes = 0;
    job->lost |= result < 0;
    return result < 0 ? result : length;
}

/*
 * The offset of the next data, the end of src if only a hole is left, or -1. ENXIO means a hole
 * only if src still has its size. That is checked between two calls, because a program that
 * truncates src and writes it anew may have restored the size after the first one.
 */
static off_t find_data(const sc_job *job)
{
    struct stat now;
    off_t data = lseek(job->src_fd, job->copied, SEEK_DATA);
    if (data < 0 && errno == ENXIO && fstat(job->src_fd, &now) == 0 && now.st_size == job->size) {
        data = lseek(job->src_fd, job->copied, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            data = job->size;
    }
    return data;
}

/*
 * Moves both file positions over a hole. Returns how much of `length` is data, or 0 if only a hole
 * is left, which copy.c makes by truncating dst at the end. If dst cannot have an offset that
 * large, the hole is copied as zeros, until writing fails with the errno that the standard library
 * gets.
 */
static int64_t data_ahead(sc_job *job, int64_t length)
{
    if (job->copied >= job->data_end) {
        off_t data = find_data(job);
        if (data < 0) {
            job->holes = 0;
            return length;
        }
        if (data > job->size)
            data = job->size;
        off_t hole = data == job->size ? data : lseek(job->src_fd, data, SEEK_HOLE);
        if (seek_both(job, data) < 0)
            return give_up_holes(job, length);
        job->data_end = hole < 0 || hole > job->size ? job->size : hole;
        job->copied = data;
    }
    int64_t data_left = job->data_end - job->copied;
    return length < data_left ? length : data_left;
}

/* After a short copy the next round is as short. Rounds grow again from there. */
static int64_t next_round(int64_t round, int64_t took, int64_t moved)
{
    if (moved < round)
        round = moved;
    else if (took < SC_TICK / 4)
        round *= 4;
    if (took > SC_TICK * 4)
        round /= 4;
    return round > LONGEST_ROUND ? LONGEST_ROUND : round < SHORTEST_ROUND ? SHORTEST_ROUND : round;
}

/* Bytes for the next round, 0 if only a hole was left in src, or -errno. */
static int64_t next_length(sc_job *job, int64_t round)
{
    int64_t left = job->size - job->copied;
    int64_t length = round < left ? round : left;
    if (left <= 0)
        return left == 0 && job->size ? LOOK_FOR_MORE : SHORTEST_ROUND;
    return job->holes ? data_ahead(job, length) : length;
}

int sc_in_rounds(sc_job *job, const sc_mechanism *mechanism)
{
    int to_the_end = mechanism->traits & SC_ANY_FILE;
    int64_t round = FIRST_ROUND, started = 0;
    while (job->copied < job->size || to_the_end) {
        int64_t length = next_length(job, round);
        if (length < 0)
            return (int)length;
        if (length == 0)
            continue;
        if (!started && job->copied + length < job->size)
            started = sc_start_clock(job);
        int64_t moved = mechanism->copy(job, length);
        if (moved == -EINTR && !sc_interrupted(job))
            continue;
        if (moved <= 0)
            return moved ? (int)moved : to_the_end ? 0 : -SC_NO_DATA;
        sc_moved(job, moved);
        job->report->mechanism = (int32_t)(mechanism - sc_mechanisms);
        if (job->copied == job->size)
            continue;

        if (!started)
            started = sc_start_clock(job);
        int lost = moved == length ? sc_write_back(job) : 0;
        if (lost < 0) {
            job->lost = 1;
            job->written = job->arrived;
            return lost;
        }
        int64_t now = sc_now();
        round = next_round(round, now - started, moved < length ? moved : round);
        started = sc_tick_in_time(job, now, moved < length);
        if (job->cancelled)
            return -SC_STOPPED;
    }
    return 0;
}
