/*
 * Linux request numbers, for linux.c and for Python.
 *
 * Built with _IOW because the direction bits differ between architectures (mips, powerpc,
 * sparc and alpha have their own); a literal is right on some machines only.
 */
#ifndef SPEEDCOPY_LINUX_H
#define SPEEDCOPY_LINUX_H

#include <sys/ioctl.h>

/* linux/fs.h */
#define FICLONE _IOW(0x94, 9, int)

/* linux/fs.h; struct file_clone_range is 32 bytes, struct file_dedupe_range 24 and 32 a file */
#define FICLONERANGE _IOW(0x94, 13, char[32])
#define FIDEDUPERANGE _IOWR(0x94, 54, char[24])

/* fs/smb/client/cifs_ioctl.h; the kernel exports no header for it. The answer is 64 bytes */
#define CIFS_IOC_COPYCHUNK_FILE _IOW(0xCF, 3, int)
#define CIFS_IOC_GET_MNT_INFO _IOR(0xCF, 5, char[64])

#endif
