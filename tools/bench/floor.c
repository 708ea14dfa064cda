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

/* fs/smb/client/cifs_ioctl.h: only the CIFS client answers, and without a request */
#define CIFS_IOC_GET_MNT_INFO _IOR(0xCF, 5, char[64])

static void fail(const char *name)
{
    perror(name);
    exit(1);
}

/* What exists is emptied, but on SMB, where that is half of the requests of a copy. */
static int open_dst(const char *dst, int src_fd, off_t size, off_t *old_size)
{
    char mount_info[64];
    struct stat st;
    int fd = open(dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    *old_size = 0;
    if (fd >= 0)
        return fd;
    if (errno != EEXIST)
        fail(dst);
    if (ioctl(src_fd, CIFS_IOC_GET_MNT_INFO, mount_info) == 0) {
        fd = open(dst, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0 || fstat(fd, &st) < 0 || (st.st_size > size && ftruncate(fd, 0) < 0))
            fail(dst);
        *old_size = st.st_size > size ? 0 : st.st_size;
    } else {
        fd = open(dst, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    if (fd < 0)
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
    struct stat st;
    off_t old_size;
    int src_fd = open(src, O_RDONLY | O_CLOEXEC), dst_fd;
    if (src_fd < 0 || fstat(src_fd, &st) < 0)
        fail(src);
    dst_fd = open_dst(dst, src_fd, st.st_size, &old_size);
    if (st.st_size > 0 && ioctl(dst_fd, FICLONE, src_fd) < 0) {
        /* more than one request of an SMB server, in which a kill would leave a mixture */
        if (old_size > 0 && st.st_size > 1 << 20 && ftruncate(dst_fd, 0) < 0)
            fail(dst);
        move(src_fd, dst_fd, st.st_size, dst);
    }
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
