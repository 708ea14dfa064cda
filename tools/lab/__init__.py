"""A lab of real file servers and file systems on one machine.

A Debian kernel boots in QEMU with this machine's root as its root, and mounts shares
of Samba servers that run outside it. No module here needs more than the standard library.

cli       arguments and exit codes
mounts    the one table of mounts: --help, the servers and the guest all read it
setup     --setup: what is fetched and installed, and what is missing at run time
packages  Debian packages: installed here, or unpacked into the cache
host      one run, seen from outside: disks, servers, virtual machine, output
disks     file systems in image files
samba     smbd
machine   the command line of the virtual machine
boot.sh   first program in the guest: a root with a cache
guest     one run, seen from inside: mounts (guest_mounts), then the command
"""
