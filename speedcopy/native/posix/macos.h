/* What the C files of macOS share. Python does not see this header. */
#ifndef SPEEDCOPY_MACOS_H
#define SPEEDCOPY_MACOS_H

#include <sys/types.h>

#include "posix.h"

/* The attribute that marks a file from the internet, which Gatekeeper checks. */
#define SC_QUARANTINE "com.apple.quarantine"

/* Bytes. A file with more names of attributes is not cloned. */
enum { SC_LONGEST_NAMES = 4096 };

/* Declared here because zig's copy of Apple's headers has no header for them. */
ssize_t flistxattr(int fd, char *names, size_t size, int options);
ssize_t fgetxattr(int fd, const char *name, void *value, size_t size, uint32_t position,
                  int options);
int fsetxattr(int fd, const char *name, const void *value, size_t size, uint32_t position,
              int options);
int fremovexattr(int fd, const char *name, int options);

/* Declared nowhere: system call 227, and no promise of Apple's. NULL where libSystem has it not. */
int __copyfile(const char *src, const char *dst, int mode, int flags) __attribute__((weak_import));

/* macos_clone.c: the row that clones. */
int64_t sc_clone(sc_job *job, int64_t length);

/* macos_clone.c: makes a new name in the directory of dst. 0 or -errno. */
int sc_name_beside(const char *dst, char *name, size_t size);

/*
 * macos_clone.c: gives a copy the times, the mode and the flags of a plain new file, removes all
 * extended attributes but the quarantine, and checks what it has now. 0 or -errno.
 */
int sc_make_plain(const struct stat *plain, int fd, struct stat *copy);

/* macos_smb.c: the row that has an SMB server copy, and when it applies. */
int64_t sc_server_copy(sc_job *job, int64_t length);
int sc_may_server_copy(const sc_job *job);

/* Would a copy with this mode be readable or writable for others who may not do that to dst? */
static inline int sc_is_more_open(mode_t mode, mode_t wanted)
{
    return !!(mode & ~wanted & 0066);
}

#endif
