/* read and write: the last mechanism of every POSIX platform's table. */
#include <stdlib.h>
#include <unistd.h>

#include "posix.h"

/* Bytes that are copied through the stack: a malloc would cost more. */
#define FEW 4096

static int64_t write_all(sc_job *job, const char *buffer, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t written = write(job->dst_fd, buffer + done, length - done);
        if (written < 0 && errno == EINTR && !sc_interrupted(job))
            continue;
        if (written <= 0) {
            sc_moved(job, (int64_t)done);
            return written < 0 ? -errno : -EIO;
        }
        done += (size_t)written;
        job->touched = 1;
        if (done < length && sc_interrupted(job))
            break; /* a signal has cut the write short, and its handler raised */
    }
    return (int64_t)done;
}

static int64_t read_and_write(sc_job *job, char *buffer, size_t length)
{
    ssize_t got = read(job->src_fd, buffer, length);
    return got <= 0 ? (got < 0 ? -errno : 0) : write_all(job, buffer, (size_t)got);
}

/* Works for all that can be read and written. Its errors are those of the copy. */
int64_t sc_read_write(sc_job *job, int64_t length)
{
    if (length <= FEW) {
        char few[FEW];
        return read_and_write(job, few, (size_t)length);
    }
    if (!job->buffer) {
        int64_t size = length > SC_LARGEST_BUFFER ? SC_LARGEST_BUFFER : length;
        job->buffer_size = (size_t)(size < SC_SMALLEST_BUFFER ? SC_SMALLEST_BUFFER : size);
        job->buffer = malloc(job->buffer_size);
        if (!job->buffer)
            return -ENOMEM;
    }
    return read_and_write(job, job->buffer,
                          (size_t)length < job->buffer_size ? (size_t)length : job->buffer_size);
}
