/* The mechanism that every POSIX platform's table ends with. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "rounds.h"

/* Bigger than any wsize that servers grant by default, small enough for a cache. */
#define LARGEST_BUFFER ((size_t)1 << 20)
#define SMALLEST_BUFFER ((size_t)1 << 16)

static int64_t write_all(sc_job *job, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t written = write(job->dst_fd, job->buffer + done, length - done);
        if (written < 0 && errno == EINTR && !sc_interrupted(job))
            continue;
        if (written <= 0) {
            job->copied += (int64_t)done;
            return written < 0 ? -errno : -EIO;
        }
        done += (size_t)written;
        job->touched = 1;
    }
    return (int64_t)done;
}

/* Works for everything that can be read and written, and its errors are the real ones. */
int64_t sc_read_write(sc_job *job, int64_t length)
{
    if (!job->buffer) {
        size_t size = (size_t)length;
        size = size > LARGEST_BUFFER ? LARGEST_BUFFER : size;
        job->buffer_size = size < SMALLEST_BUFFER ? SMALLEST_BUFFER : size;
        job->buffer = malloc(job->buffer_size);
        if (!job->buffer)
            return -ENOMEM;
    }
    size_t wanted = (size_t)length < job->buffer_size ? (size_t)length : job->buffer_size;
    ssize_t got = read(job->src_fd, job->buffer, wanted);
    return got <= 0 ? (got < 0 ? -errno : 0) : write_all(job, (size_t)got);
}
