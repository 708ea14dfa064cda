/*
 * Opening and guarding: which files a copy is about, and what may not be copied.
 *
 * dst is never opened with O_TRUNC: on SMB that is 8 of 12 requests a copy, and on ext4 it
 * makes close() allocate and write. What is too long is cut instead.
 */
#include "open.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "rounds.h"

/* O_NONBLOCK so that a FIFO, socket or modem does not hang us; it means nothing to a disk. */
#define OPEN_FLAGS (O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/*
 * open(2) that signal handlers can interrupt. A file under a lease (Samba's kernel oplocks,
 * NFS delegations) answers O_NONBLOCK with EAGAIN; without it, open waits for the lease to be
 * given back, as it does for the standard library.
 */
static int open_file(sc_job *job, const char *path, int flags)
{
    struct stat st;
    int fd;
    do
        fd = open(path, flags | OPEN_FLAGS, 0666);
    while (fd < 0 && errno == EINTR && !sc_interrupted(job));
    if (fd < 0 && errno == EAGAIN && stat(path, &st) == 0 && S_ISREG(st.st_mode))
        do
            fd = open(path, flags | (OPEN_FLAGS & ~O_NONBLOCK), 0666);
        while (fd < 0 && errno == EINTR && !sc_interrupted(job));
    return fd;
}

/* shutil's look at the name of dst, before it opens it. */
static int guard_dst(sc_job *job)
{
    if (stat(job->dst, &job->dst_st) < 0)
        return 0;
    if (sc_same_file(&job->src_st, &job->dst_st))
        return sc_failure(SC_SAME_FILE, SC_AT_BOTH);
    if (S_ISFIFO(job->dst_st.st_mode))
        return sc_failure(SC_NAMED_PIPE, SC_AT_DST);
    return 0;
}

/* shutil looks at both names before it opens either, and so must the error that is told. */
static int refuse_src(sc_job *job, int code)
{
    int refused;
    if (stat(job->src, &job->src_st) < 0)
        job->src_st = (struct stat){0};
    refused = guard_dst(job);
    if (S_ISFIFO(job->src_st.st_mode) && refused != sc_failure(SC_SAME_FILE, SC_AT_BOTH))
        return sc_failure(SC_NAMED_PIPE, SC_AT_SRC);
    return refused ? refused : sc_failure(code, SC_AT_SRC);
}

/* /dev/null ends at once; /dev/zero never, and a terminal when somebody says so. */
static int may_never_end(const struct stat *st)
{
    struct stat null;
    return S_ISCHR(st->st_mode) && !(stat("/dev/null", &null) == 0 && null.st_rdev == st->st_rdev);
}

static int open_src(sc_job *job)
{
    job->src_fd = open_file(job, job->src, O_RDONLY);
    if (job->src_fd < 0 || fstat(job->src_fd, &job->src_st) < 0)
        return refuse_src(job, errno);
    if (S_ISREG(job->src_st.st_mode)) {
        job->size = job->src_st.st_size;
        return 0;
    }
    if (S_ISDIR(job->src_st.st_mode))
        return refuse_src(job, EISDIR);
    if (S_ISFIFO(job->src_st.st_mode))
        return refuse_src(job, SC_NAMED_PIPE);
    if (may_never_end(&job->src_st))
        return refuse_src(job, SC_CHARACTER_DEVICE);
    return 0;
}

/*
 * The CIFS client looks a file up by name before it opens it, three requests if it does not know
 * it, but not with O_CREAT: then the server says in the same request what it has opened.
 * O_NOFOLLOW, so that no target of a dangling link is made here and taken for one that was there.
 * Where that is refused (a link; fs.protected_regular), it is opened plainly.
 */
static int open_existing(sc_job *job)
{
    int fd = errno == EEXIST ? open_file(job, job->dst, O_WRONLY | O_CREAT | O_NOFOLLOW) : -1;
    if (fd < 0 && !job->cancelled)
        fd = open_file(job, job->dst, O_WRONLY);
    return fd;
}

/*
 * Creating comes first, then opening, and the looks at what was opened: a look by name would be a
 * call more, and requests on a share. Without O_TRUNC, opening harms nothing, and the file that was
 * looked at is the one that will be written, whatever becomes of the name. Only what cannot be
 * opened is asked for by name: src itself while it runs, a FIFO nobody reads, a link to a file
 * still to be made; and the error that is told is that of shutil's way of opening.
 */
static int open_dst(sc_job *job)
{
    job->dst_fd = open_file(job, job->dst, O_WRONLY | O_CREAT | O_EXCL);
    if (job->dst_fd >= 0) {
        /* regular, empty and not src: nothing that a look could tell */
        job->created = 1;
        job->dst_st.st_mode = S_IFREG;
        return 0;
    }
    if (!job->cancelled)
        job->dst_fd = open_existing(job);
    if (job->dst_fd < 0) {
        int refused = job->cancelled ? sc_failure(SC_STOPPED, SC_AT_DST) : guard_dst(job);
        if (refused)
            return refused;
        job->dst_fd = open_file(job, job->dst, O_WRONLY | O_CREAT);
        if (job->dst_fd < 0)
            return sc_failure(errno, SC_AT_DST);
        job->created = job->dst_st.st_mode == 0;
    }
    if (fstat(job->dst_fd, &job->dst_st) < 0)
        return sc_failure(errno, SC_AT_DST);
    if (sc_same_file(&job->src_st, &job->dst_st))
        return sc_failure(SC_SAME_FILE, SC_AT_BOTH);
    if (S_ISFIFO(job->dst_st.st_mode))
        return sc_failure(SC_NAMED_PIPE, SC_AT_DST);
    if (S_ISREG(job->dst_st.st_mode))
        job->dst_size = job->dst_st.st_size;
    else
        fcntl(job->dst_fd, F_SETFL, 0);
    return 0;
}

int sc_open(sc_job *job)
{
    int result = open_src(job);
    return result ? result : open_dst(job);
}
