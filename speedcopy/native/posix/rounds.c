/* One mechanism in rounds: how long each is, and which holes are left out. */
#include <unistd.h>

#include "posix.h"

/*
 * A round ends within a tick or so on anything from a floppy to a RAM disk: it grows while
 * rounds are quick and shrinks when they are slow. 16 MiB is the most, because a page cache
 * takes gigabytes at once until it is full and then goes at the speed of the disk behind it.
 */
static const int64_t FIRST_ROUND = SC_MIB;
static const int64_t SHORTEST_ROUND = SC_MIB / 16;
static const int64_t LONGEST_ROUND = 16 * SC_MIB;

/* A read that only has to find the end. */
static const int64_t LOOK_FOR_MORE = 4096;

static int seek_both(const sc_job *job, int64_t to)
{
    return lseek(job->dst_fd, to, SEEK_SET) < 0 || lseek(job->src_fd, to, SEEK_SET) < 0 ? -errno
                                                                                        : 0;
}

/* No look for holes any more. Both files stand where they stood, or the copy has failed. */
static int64_t give_up_holes(sc_job *job, int64_t length)
{
    int result = seek_both(job, job->copied);
    job->holes = 0;
    job->lost |= result < 0;
    return result < 0 ? result : length;
}

/*
 * Where the next data is, the end of src if only a hole is left, or -1. ENXIO is no hole if src has
 * been truncated; and while it is written anew, its size may be the old one again a moment later.
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
 * Moves both files over a hole. Returns how much of `length` is data, 0 if only a hole is
 * left, which the last cut of dst makes. Where dst's file system has no room so far up, the hole is
 * copied as zeros, until that fails as it does for the standard library.
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

/* What moves less than it was asked to is asked for that much, and then for more again. */
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

/* How much the next round is to move; 0 behind a hole at the end of src, or -errno. */
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
