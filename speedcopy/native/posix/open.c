/*
 * Opening and guarding: which files a copy is about, and what may not be copied.
 *
 * A dst that exists is opened as the standard library opens it, by O_TRUNC, and is written from
 * start to end. Only that is safe on every file system: FUSE servers report sizes that are stale
 * (libfuse/sshfs#302) and refuse every other way of writing over a file (rclone/rclone#2079,
 * awslabs/mountpoint-s3#487), an overlay copies a file up that is opened without O_TRUNC
 * (docker/docs#3709), and after a power cut ext4, XFS and btrfs never mix old and new content in
 * a file that was emptied first.
 *
 * The exception is a dst beside src on one SMB mount. There O_TRUNC is 8 of 12 requests, the
 * server says how long the file is while it opens it, and one request may copy all.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "posix.h"

#ifdef O_PATH
#define OPEN_DIRECTORY (O_PATH | O_DIRECTORY | O_CLOEXEC)
#else
#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#endif

/*
 * Opens nothing more once a signal handler has raised. The last descriptor that a process may have
 * is for the files.
 */
static int open_file(sc_job *job, const char *path, int flags)
{
    int fd = -1;
    errno = EINTR;
    if (!job->cancelled)
        SC_REPEAT(job, fd, openat(job->dir, path, flags | O_CLOEXEC | O_NOCTTY, 0666));
    if (fd < 0 && job->dir != AT_FDCWD && (errno == EMFILE || errno == ENFILE)) {
        close(job->dir);
        job->dir = AT_FDCWD;
        return open_file(job, path, flags);
    }
    return fd;
}

/* Zeros if it fails, as on FUSE and NFS it may: the standard library copies all the same. */
static int look_at(sc_job *job, int fd, struct stat *st)
{
    int result;
    SC_REPEAT(job, result, fstat(fd, st));
    if (result < 0)
        memset(st, 0, sizeof *st);
    return result;
}

static int look_at_name(sc_job *job, const char *path, struct stat *st)
{
    int result;
    SC_REPEAT(job, result, fstatat(job->dir, path, st, 0));
    if (result < 0)
        memset(st, 0, sizeof *st);
    return result;
}

/* shutil's look at the name of dst, before it opens it. */
static int guard_dst(sc_job *job)
{
    struct stat st;
    if (look_at_name(job, job->dst, &st) < 0)
        return 0;
    if (sc_same_file(&job->src_st, &st))
        return sc_failure(SC_SAME_FILE, SC_AT_BOTH);
    return S_ISFIFO(st.st_mode) ? sc_failure(SC_NAMED_PIPE, SC_AT_DST) : 0;
}

/* shutil looks at both names before it opens either, and so must the error that is raised. */
static int refuse_src(sc_job *job, int code)
{
    int refused = guard_dst(job);
    if (refused && (code != SC_NAMED_PIPE || refused == sc_failure(SC_SAME_FILE, SC_AT_BOTH)))
        return refused;
    return sc_failure(code, SC_AT_SRC);
}

/* /dev/null ends at once; /dev/zero never, and a terminal when somebody says so. */
static int may_never_end(const struct stat *st)
{
    struct stat null;
    return S_ISCHR(st->st_mode) && !(stat("/dev/null", &null) == 0 && null.st_rdev == st->st_rdev);
}

/* By name first: to open a FIFO waits for its writer, and to open a device may do something. */
static int open_src(sc_job *job)
{
    look_at_name(job, job->src, &job->src_st);
    if (S_ISFIFO(job->src_st.st_mode))
        return refuse_src(job, SC_NAMED_PIPE);
    if (may_never_end(&job->src_st))
        return refuse_src(job, SC_CHARACTER_DEVICE);
    job->src_fd = open_file(job, job->src, O_RDONLY);
    if (job->src_fd < 0)
        return refuse_src(job, errno);
    struct stat named = job->src_st;
    if (look_at(job, job->src_fd, &job->src_st) < 0) {
        job->src_st.st_dev = named.st_dev; /* it still must not be dst */
        job->src_st.st_ino = named.st_ino;
    }
    if (S_ISDIR(job->src_st.st_mode))
        return refuse_src(job, EISDIR);
    if (S_ISREG(job->src_st.st_mode))
        job->size = job->src_st.st_size;
    return 0;
}

static int open_plainly(sc_job *job)
{
    /* reflink="always" empties nothing before a clone has been shown to work */
    int keeps = job->flags & SC_REFLINK_ALWAYS;
    job->plain = 1;
    job->dst_fd = open_file(job, job->dst, O_WRONLY | O_CREAT | (keeps ? 0 : O_TRUNC));
    if (job->dst_fd < 0)
        return sc_failure(errno, SC_AT_DST);
    look_at(job, job->dst_fd, &job->dst_st);
    if (keeps && job->dst_st.st_mode && sc_same_file(&job->src_st, &job->dst_st))
        return sc_failure(SC_SAME_FILE, SC_AT_BOTH);
    job->in_place = keeps && job->dst_st.st_size > 0;
    job->touched = !keeps;
    if (!keeps)
        sc_forget_errors(job);
    return 0;
}

/*
 * O_CREAT, as the CIFS client looks a file up by name before it opens it, three requests if it
 * does not know it, but not with O_CREAT: then the server says in the same request what it has
 * opened. O_NOFOLLOW and O_NONBLOCK, as it may be a link or a FIFO, or lie under another mount.
 */
static int open_in_place(sc_job *job)
{
    const int how = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    int fd = open_file(job, job->dst, how);
    if (fd < 0)
        return 0;
    if (look_at(job, fd, &job->dst_st) < 0 || !S_ISREG(job->dst_st.st_mode) ||
        job->dst_st.st_dev != job->src_st.st_dev) {
        close(fd);
        return 0;
    }
    job->dst_fd = fd;
    job->in_place = job->dst_st.st_size > 0;
    return 1;
}

/*
 * Creating comes first: a look at a name that may be missing is 3 requests on a share. Whatever
 * refuses an exclusive create, the plain way of opening has the last word, and its error counts. So
 * it has where the file is not empty: a server that does not know O_EXCL has opened an old one.
 */
static int open_dst(sc_job *job)
{
    job->dst_fd = open_file(job, job->dst, O_WRONLY | O_CREAT | O_EXCL);
    int code = job->dst_fd < 0 ? errno : 0;
    if (job->dst_fd >= 0) {
        job->created = look_at(job, job->dst_fd, &job->dst_st) < 0 || job->dst_st.st_size == 0;
        if (job->created)
            return 0;
        close(job->dst_fd);
        job->dst_fd = -1;
    }
    if (code == EEXIST && sc_may_copy_in_place(job) && open_in_place(job))
        return sc_same_file(&job->src_st, &job->dst_st) ? sc_failure(SC_SAME_FILE, SC_AT_BOTH) : 0;
    int refused = guard_dst(job);
    return refused ? refused : open_plainly(job);
}

int sc_open(sc_job *job)
{
    if (job->src[0] != '/' || job->dst[0] != '/') {
        int here = open(".", OPEN_DIRECTORY);
        job->dir = here < 0 ? AT_FDCWD : here;
    }
    int result = open_src(job);
    return result ? result : open_dst(job);
}

/* After Ctrl-C, too: what was written to has to have the right end. */
int sc_truncate(sc_job *job, int64_t size)
{
    int result, tries = SC_MOST_TRIES;
    while ((result = ftruncate(job->dst_fd, size)) < 0 && errno == EINTR && tries-- > 0)
        sc_interrupted(job);
    return result < 0 ? -errno : 0;
}

/* Takes a dst its content, old or what a refused clone has left. 0 or -errno. */
int sc_empty(sc_job *job)
{
    job->touched = 1;
    int result = sc_truncate(job, 0);
    if (result == 0) {
        job->in_place = 0;
        job->dst_st.st_size = 0;
        sc_forget_errors(job);
    }
    return result;
}

/* Opens dst once more, as the standard library would have opened it. -1 if that is refused. */
int sc_reopen_plainly(sc_job *job)
{
    int again = lseek(job->src_fd, 0, SEEK_SET) < 0 ? -1 : sc_open_again(job->dst_fd);
    if (again < 0)
        return -1;
    sc_close(&job->dst_fd);
    job->dst_fd = again;
    job->plain = job->touched = 1;
    job->copied = job->holes = 0;
    return 0;
}

/*
 * Linux has closed the descriptor when it returns EINTR: to repeat would close another file. It is
 * an error as any other, as nobody knows then whether all was written; shutil raises it, too.
 */
int sc_close(int *fd)
{
    int result = *fd < 0 ? 0 : close(*fd);
    *fd = -1;
    return result < 0 ? -errno : 0;
}
