/*
 * Opens both files, and refuses what may not be copied.
 *
 * An existing dst is opened with O_TRUNC, as in the standard library, and written from start to
 * end. Only that is safe on every file system. FUSE servers report stale sizes
 * (libfuse/sshfs#302) and refuse every other way to overwrite a file (rclone/rclone#2079,
 * awslabs/mountpoint-s3#487). An overlay copies a whole file up if it is opened without O_TRUNC
 * (docker/docs#3709). And after a power cut, ext4, XFS and btrfs never mix old and new content in
 * a file that was truncated first.
 *
 * There are two exceptions. If src and dst are on one SMB mount, O_TRUNC costs 8 of 12 requests,
 * the server's reply to the open has the true size, and one request may replace all of the content.
 * And reflink="always" keeps the content until a clone has been shown to work.
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
 * Opens nothing after a signal handler has raised. If no descriptor is left, that of the current
 * directory is given up for the file.
 */
static int open_file(sc_job *job, const int *dir, const char *path, int flags)
{
    int fd = -1;
    errno = EINTR;
    if (!job->cancelled)
        SC_REPEAT(job, fd, openat(*dir, path, flags | O_CLOEXEC | O_NOCTTY, sc_mode_of_new(job)));
    if (fd < 0 && job->here != AT_FDCWD && (errno == EMFILE || errno == ENFILE)) {
        close(job->here);
        job->here = job->src_dir = job->dst_dir = AT_FDCWD;
        return open_file(job, dir, path, flags);
    }
    return fd;
}

/* Zeros if fstat fails, as it may on FUSE and NFS: the standard library copies nevertheless. */
static int look_at(sc_job *job, int fd, struct stat *st)
{
    int result;
    SC_REPEAT(job, result, fstat(fd, st));
    if (result < 0)
        memset(st, 0, sizeof *st);
    return result;
}

static int look_at_name(sc_job *job, int dir, const char *path, struct stat *st, int how)
{
    int result;
    SC_REPEAT(job, result, fstatat(dir, path, st, how));
    if (result < 0)
        memset(st, 0, sizeof *st);
    return result;
}

/* May another name lead to this file? Where many files are copied at once, both could be written.
 */
static int has_other_name(const struct stat *st)
{
    return S_ISLNK(st->st_mode) || (S_ISREG(st->st_mode) && st->st_nlink > 1);
}

/* Checks the name of dst, as shutil does before it opens a file. */
static int guard_dst(sc_job *job)
{
    struct stat st;
    int is_one = job->flags & SC_ONE_NAME;
    if (look_at_name(job, job->dst_dir, job->dst, &st, is_one ? AT_SYMLINK_NOFOLLOW : 0) < 0)
        return 0;
    if (is_one && has_other_name(&st))
        return sc_failure(SC_OTHER_NAME, SC_AT_DST);
    if (sc_same_file(&job->src_st, &st))
        return sc_failure(SC_SAME_FILE, SC_AT_BOTH);
    return S_ISFIFO(st.st_mode) ? sc_failure(SC_NAMED_PIPE, SC_AT_DST) : 0;
}

/* shutil checks both names before it opens src: an error of dst's name may come first. */
static int refuse_src(sc_job *job, int code)
{
    int refused = guard_dst(job);
    if (refused && (code != SC_NAMED_PIPE || refused == sc_failure(SC_SAME_FILE, SC_AT_BOTH)))
        return refused;
    return sc_failure(code, SC_AT_SRC);
}

/* /dev/null ends at once, /dev/zero never, and a terminal when its user ends the input. */
static int may_never_end(const struct stat *st)
{
    struct stat null;
    return S_ISCHR(st->st_mode) && !(stat("/dev/null", &null) == 0 && null.st_rdev == st->st_rdev);
}

/* Checks the name first: opening a FIFO waits for a writer, opening a device may have effects. */
static int open_checked(sc_job *job)
{
    look_at_name(job, job->src_dir, job->src, &job->src_st, 0);
    if (S_ISFIFO(job->src_st.st_mode))
        return refuse_src(job, SC_NAMED_PIPE);
    if (may_never_end(&job->src_st))
        return refuse_src(job, SC_CHARACTER_DEVICE);
    job->src_fd = open_file(job, &job->src_dir, job->src, O_RDONLY);
    return job->src_fd < 0 ? refuse_src(job, errno) : 0;
}

/*
 * A caller that has listed a directory of a local file system knows that src is a file. If a FIFO
 * has taken its place since, O_NONBLOCK does not wait for a writer. For a file it has an effect
 * only under a lease (EAGAIN); the standard library waits until the lease is given back. A FUSE
 * server may give it any meaning.
 */
static int open_listed(sc_job *job)
{
    job->src_fd = open_file(job, &job->src_dir, job->src, O_RDONLY | O_NONBLOCK);
    if (job->src_fd < 0 && errno == EAGAIN)
        return open_checked(job);
    return job->src_fd < 0 ? refuse_src(job, errno) : 0;
}

int sc_open_src(sc_job *job)
{
    if (!job->directories && (job->src[0] != '/' || job->dst[0] != '/')) {
        int here = open(".", OPEN_DIRECTORY);
        job->here = job->src_dir = job->dst_dir = here < 0 ? AT_FDCWD : here;
    }
    int is_listed = job->flags & SC_SRC_IS_FILE && job->directories && job->directories->exact;
    int result = is_listed ? open_listed(job) : open_checked(job);
    if (result)
        return result;
    struct stat named = job->src_st;
    if (look_at(job, job->src_fd, &job->src_st) < 0) {
        if (is_listed)
            look_at_name(job, job->src_dir, job->src, &named, 0);
        job->src_st.st_dev = named.st_dev; /* for the comparison with dst */
        job->src_st.st_ino = named.st_ino;
    }
    if (S_ISDIR(job->src_st.st_mode))
        return refuse_src(job, EISDIR);
    if (S_ISFIFO(job->src_st.st_mode))
        return refuse_src(job, SC_NAMED_PIPE);
    if (may_never_end(&job->src_st))
        return refuse_src(job, SC_CHARACTER_DEVICE);
    if (S_ISREG(job->src_st.st_mode)) {
        job->size = job->src_st.st_size;
        job->exact = job->directories && job->directories->exact == (uint64_t)job->src_st.st_dev;
    }
    return 0;
}

static int open_plainly(sc_job *job)
{
    /* reflink="always": dst keeps its content until a clone has been shown to work */
    int keeps = job->flags & SC_REFLINK_ALWAYS;
    job->plain = 1;
    job->dst_fd =
        open_file(job, &job->dst_dir, job->dst, O_WRONLY | O_CREAT | (keeps ? 0 : O_TRUNC));
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
 * O_CREAT, because with it the CIFS client does not look the name up before the open (three
 * requests if the name is not cached): the reply to the open has the attributes. O_NOFOLLOW and
 * O_NONBLOCK, because dst may be a link or a FIFO, or may be on another mount.
 */
static int open_in_place(sc_job *job)
{
    const int how = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    int fd = open_file(job, &job->dst_dir, job->dst, how);
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

/* Is O_EXCL left out? A mechanism that replaces dst has to know that this copy has created it. */
static int is_left_out(const sc_job *job)
{
    return job->flags & SC_NAME_IS_FREE && !(sc_mechanisms->traits & SC_NEW_FILE);
}

/*
 * Is dst the file that has just been created? O_EXCL is one operation more on NFS. Without it, an
 * empty file may be somebody else's: it is as good, but is not removed if the copy fails.
 */
static int is_new(sc_job *job)
{
    int looked = look_at(job, job->dst_fd, &job->dst_st);
    if (is_left_out(job))
        return looked == 0 && S_ISREG(job->dst_st.st_mode) && job->dst_st.st_size == 0 &&
               !sc_same_file(&job->src_st, &job->dst_st);
    job->created = looked < 0 || job->dst_st.st_size == 0;
    return job->created;
}

/*
 * First tries to create dst: looking up a name that may be missing is 3 requests on a share. If an
 * exclusive create fails, dst is opened as the standard library opens it, and the error of that
 * open is returned. So it is if the new file is not empty: a server without O_EXCL has then opened
 * an existing file.
 */
int sc_open_dst(sc_job *job)
{
    int how = is_left_out(job) ? O_NOFOLLOW | O_NONBLOCK : O_EXCL;
    job->dst_fd = open_file(job, &job->dst_dir, job->dst, O_WRONLY | O_CREAT | how);
    int code = job->dst_fd < 0 ? errno : 0;
    if (job->dst_fd >= 0) {
        if (is_new(job))
            return 0;
        close(job->dst_fd);
        job->dst_fd = -1;
    }
    if (code == EEXIST && sc_may_copy_in_place(job) && open_in_place(job)) {
        if (job->flags & SC_ONE_NAME && has_other_name(&job->dst_st))
            return sc_failure(SC_OTHER_NAME, SC_AT_DST);
        return sc_same_file(&job->src_st, &job->dst_st) ? sc_failure(SC_SAME_FILE, SC_AT_BOTH) : 0;
    }
    int refused = guard_dst(job);
    return refused ? refused : open_plainly(job);
}
