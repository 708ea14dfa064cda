/*
 * The floor under a copy of a tree on Linux: the necessary calls and nothing else.
 *
 *     trees [-t THREADS] [-d] SRC DST
 *
 * copies the directory SRC to DST, which must not exist: data, times and, if it is not what the
 * file was created with, the mode. Extended attributes are looked up and must be none. With -d only
 * the data is copied. Files of 64 KiB and more are cloned where that works.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MOST_DIRECTORIES = 1 << 16, MOST_THREADS = 64, BATCH = 64 };

typedef struct {
    int src, dst;   /* descriptors of the two directories */
    struct stat st; /* of src */
    char **names;   /* of its files */
    size_t count, room;
} directory;

static directory *directories;
static size_t directory_count, next_directory, next_name;
static int data_only;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *name)
{
    perror(name);
    exit(1);
}

static void move(int src, int dst, off_t size, const char *name)
{
    int across = 0;
    if (size >= 1 << 16 && ioctl(dst, FICLONE, src) == 0)
        return;
    while (size > 0) {
        ssize_t moved = across ? sendfile(dst, src, NULL, (size_t)size)
                               : copy_file_range(src, NULL, dst, NULL, (size_t)size, 0);
        if (moved < 0 && errno == EXDEV && !across)
            across = 1;
        else if (moved <= 0)
            fail(name);
        else
            size -= moved;
    }
}

static void copy(const directory *in, const char *name)
{
    struct stat st;
    int src = openat(in->src, name, O_RDONLY | O_CLOEXEC);
    if (src < 0 || fstat(src, &st) < 0)
        fail(name);
    int dst = openat(in->dst, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
    if (dst < 0)
        fail(name);
    move(src, dst, st.st_size, name);
    if (!data_only) {
        struct timespec times[2] = {st.st_atim, st.st_mtim};
        if (flistxattr(src, NULL, 0) > 0)
            errno = ENOTSUP, fail(name);
        if (futimens(dst, times) < 0)
            fail(name);
    }
    if (close(dst) < 0)
        fail(name);
    close(src);
}

static int take(directory **in, size_t *first, size_t *end)
{
    pthread_mutex_lock(&lock);
    while (next_directory < directory_count && next_name >= directories[next_directory].count) {
        next_directory++;
        next_name = 0;
    }
    int found = next_directory < directory_count;
    if (found) {
        *in = &directories[next_directory];
        *first = next_name;
        *end = next_name += BATCH;
        if (*end > (*in)->count)
            *end = (*in)->count;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void *work(void *unused)
{
    directory *in;
    size_t name, end;
    while (take(&in, &name, &end))
        for (; name < end; name++)
            copy(in, in->names[name]);
    return unused;
}

static void *grown(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (!memory)
        fail("memory");
    return memory;
}

/* Makes dst and lists src; the directories in it follow in the array. */
static void add(int src_at, const char *src, int dst_at, const char *dst)
{
    directory *in = &directories[directory_count++];
    if (directory_count == MOST_DIRECTORIES)
        errno = ENFILE, fail(src);
    if (mkdirat(dst_at, dst, 0777) < 0)
        fail(dst);
    in->src = openat(src_at, src, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    in->dst = openat(dst_at, dst, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in->src < 0 || in->dst < 0 || fstat(in->src, &in->st) < 0)
        fail(src);
    DIR *listing = fdopendir(dup(in->src));
    if (!listing)
        fail(src);
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (entry->d_type == DT_DIR) {
            add(in->src, entry->d_name, in->dst, entry->d_name);
        } else {
            if (in->count == in->room)
                in->names = grown(in->names, (in->room = in->room * 2 + 64) * sizeof *in->names);
            in->names[in->count++] = strdup(entry->d_name);
        }
    }
    closedir(listing);
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST_THREADS];
    int option, count = 1, index;
    while ((option = getopt(argc, argv, "t:d")) != -1) {
        if (option == 't')
            count = atoi(optarg);
        else if (option == 'd')
            data_only = 1;
        else
            return 2;
    }
    if (argc - optind != 2 || count < 1 || count > MOST_THREADS) {
        fprintf(stderr, "usage: trees [-t THREADS] [-d] SRC DST\n");
        return 2;
    }
    directories = grown(NULL, MOST_DIRECTORIES * sizeof *directories);
    memset(directories, 0, MOST_DIRECTORIES * sizeof *directories);
    add(AT_FDCWD, argv[optind], AT_FDCWD, argv[optind + 1]);
    for (index = 1; index < count; index++)
        if (pthread_create(&threads[index], NULL, work, NULL))
            fail("thread");
    work(NULL);
    for (index = 1; index < count; index++)
        pthread_join(threads[index], NULL);
    for (size_t last = directory_count; last-- > 0;) {
        struct timespec times[2] = {directories[last].st.st_atim, directories[last].st.st_mtim};
        if (!data_only && futimens(directories[last].dst, times) < 0)
            fail("times of a directory");
    }
    return 0;
}
