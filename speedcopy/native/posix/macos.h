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

/* macos_clone.c: the row that clones. */
int64_t sc_clone(sc_job *job, int64_t length);

#endif
