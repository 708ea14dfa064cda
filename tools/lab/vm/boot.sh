#!/bin/sh
# First program of the lab in the guest: a better root, then guest.py in it.
# usage: boot.sh SCRATCH MODULES PYTHON TOOLS KERNEL_MODULE...
set -e
scratch=$1 modules=$2 python=$3 tools=$4
shift 4

# Loaded in the background while Python starts: on demand, each costs an emulated modprobe.
# What this kernel lacks is left to the mount that misses it.
modprobe --all --quiet "$@" &

# virtme-ng's root has no cache: importing pytest from it takes half a minute. The same again
# with a cache, and writable, what is written going to memory.
busybox mount -t tmpfs lab /mnt
cd /mnt
mkdir host root upper work
busybox mount -t 9p -o ro,trans=virtio,version=9p2000.L,access=any,msize=512000,cache=loose lab host
busybox mount -t overlay -o lowerdir=host,upperdir=upper,workdir=work overlay root
for directory in dev proc sys run; do
    busybox mount --move /$directory root/$directory
done
mkdir -p root/usr/lib/modules
ln -sfn "$modules" "root/usr/lib/modules/${modules##*/}"

# Not chroot: servers in the kernel must see the new root too.
cd root
busybox pivot_root . mnt
busybox umount -l /mnt

# Without site: it would read the packages of a virtual environment.
exec env PYTHONPATH="$tools" "$python" -B -S -m lab.vm.guest "$scratch"
