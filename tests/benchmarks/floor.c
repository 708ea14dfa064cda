/*
 * The floor under a copy on Linux: the necessary calls and nothing else.
 *
 *     floor [-u] SRC DST...
 *
 * copies SRC to each DST in turn, a new file or over an existing one, and prints nanoseconds
 * per copy. With -u each DST is unlinked before the next copy. Neither that nor starting the
 * program is on the clock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OPEN_FLAGS (O_CLOEXEC | O_NONBLOCK)

static void fail(const char *name)
{
    perror(name);
    exit(1);
}

static int open_dst(const char *dst, struct stat *st)
{
    int fd = open(dst, O_WRONLY | O_CREAT | O_EXCL | OPEN_FLAGS, 0666);
    if (fd < 0 && errno == EEXIST)
        fd = open(dst, O_WRONLY | O_CREAT | O_NOFOLLOW | OPEN_FLAGS, 0666);
    if (fd < 0 || fstat(fd, st) < 0)
        fail(dst);
    return fd;
}

/* By copy_file_range, or by sendfile between file systems that have no way of their own. */
static void move(int src_fd, int dst_fd, off_t size, const char *dst)
{
    int across = 0;
    while (size > 0) {
        ssize_t moved = across ? sendfile(dst_fd, src_fd, NULL, (size_t)size)
                               : copy_file_range(src_fd, NULL, dst_fd, NULL, (size_t)size, 0);
        if (moved < 0 && errno == EXDEV && !across)
            across = 1;
        else if (moved <= 0)
            fail(dst);
        else
            size -= moved;
    }
}

static void copy(const char *src, const char *dst)
{
    struct stat src_st, dst_st;
    int src_fd, dst_fd;
    src_fd = open(src, O_RDONLY | OPEN_FLAGS);
    if (src_fd < 0 || fstat(src_fd, &src_st) < 0)
        fail(src);
    dst_fd = open_dst(dst, &dst_st);
    if (dst_st.st_size > src_st.st_size && ftruncate(dst_fd, src_st.st_size) < 0)
        fail(dst);
    if (src_st.st_size > 0 && ioctl(dst_fd, FICLONE, src_fd) < 0)
        move(src_fd, dst_fd, src_st.st_size, dst);
    if (close(dst_fd) < 0)
        fail(dst);
    close(src_fd);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

int main(int argc, char **argv)
{
    double spent = 0;
    int option, unlinks = 0, index;
    while ((option = getopt(argc, argv, "u")) == 'u')
        unlinks = 1;
    if (option != -1 || argc - optind < 2) {
        fprintf(stderr, "usage: floor [-u] SRC DST...\n");
        return 2;
    }
    for (index = optind + 1; index < argc; index++) {
        double started = now();
        copy(argv[optind], argv[index]);
        spent += now() - started;
        if (unlinks && unlink(argv[index]) < 0)
            fail(argv[index]);
    }
    printf("%.1f\n", spent / (argc - optind - 1));
    return 0;
}
