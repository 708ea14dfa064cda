"""The lab of shares and disks.

A Debian kernel boots in QEMU with this machine's root as its root, and mounts shares
of Samba servers that run outside it.

cli           arguments
mounts        the one table of mounts: --help, the servers and the guest all read it
setup         --setup: what is fetched and installed
host          one run, seen from outside: disks, servers, virtual machine, output
disks         file systems in image files
samba         smbd
machine       the command line of the virtual machine
boot.sh       first program in the guest: a root with a cache
guest         one run, seen from inside: mounts, then the command
guest_mounts  mounting the rows of the table
"""
