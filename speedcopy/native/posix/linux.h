/*
 * The ioctl request numbers of Linux, for linux.c, linux_clone.c and Python.
 *
 * They are built with _IOW, because the direction bits differ between architectures (mips,
 * powerpc, sparc and alpha have their own). A literal would be right on some machines only.
 */
#ifndef SPEEDCOPY_LINUX_H
#define SPEEDCOPY_LINUX_H

#include <sys/ioctl.h>

/* linux/fs.h */
#define FICLONE _IOW(0x94, 9, int)

/* linux/fs.h; a file_clone_range has 32 bytes, a file_dedupe_range has 24, and 32 for each dst */
#define FICLONERANGE _IOW(0x94, 13, char[32])
#define FIDEDUPERANGE _IOWR(0x94, 54, char[24])

/* fs/smb/client/cifs_ioctl.h; the kernel exports no header. GET_MNT_INFO returns 64 bytes */
#define CIFS_IOC_COPYCHUNK_FILE _IOW(0xCF, 3, int)
#define CIFS_IOC_GET_MNT_INFO _IOR(0xCF, 5, char[64])

#endif
