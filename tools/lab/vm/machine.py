"""The command line of the virtual machine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab.vm import setup
from lab.vm.mounts import GUEST_SCRATCH, GUEST_WRITABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

CPUS = 2
MEMORY = "5G"

# The oldest that the wheels of PyPI run on: numpy's end with SIGILL without AVX2. ERMS is off: with
# it Linux clears pages by "rep stosb", which takes half as long again to emulate.
PROCESSOR = "Haswell,-erms"

# virtme-ng's consoles would have QEMU wait on 400 descriptors, 60 us each time and several times a
# request.
QUIET_CONSOLES = ["-global", "virtio-serial-pci.ioeventfd=off"]

# What the rows of the table need; the crypto names are those that cifs asks for.
MODULES = (
    *("virtio_blk", "virtio_net", "ext4", "xfs"),
    *("cifs", "nls_utf8", "cmac", "gcm", "ccm", "ghash"),
    *("btrfs", "nfsd", "nfs", "nfsv3", "nfsv4", "ksmbd"),
)

TOOLS = Path(__file__).parents[2]


def command_line(
    kernel: str, scratch: Path, images: Sequence[Path], writable: Sequence[str], verbose: bool
) -> list[str]:
    """Arguments of virtme-run: vng, the friendlier front end, needs paths without spaces."""
    image = setup.kernel_image(kernel)
    modules = image.parent.parent / "lib/modules" / image.name.replace("vmlinuz-", "")
    script = [f"{TOOLS}/lab/vm/boot.sh", GUEST_SCRATCH, str(modules), sys.executable, str(TOOLS)]
    options = {
        "kimg": str(image),
        "mods": "auto",
        "user": "root",
        "cpus": str(CPUS),
        "memory": MEMORY,
        "net": "user",
        "overlay-rwdir": "/lib",  # for the link to the modules
        "kopt": "mitigations=off",  # an emulated processor has nothing to mitigate
        "script-sh": f"{shlex.join(['sh', *script, *MODULES])} > {GUEST_SCRATCH}/guest.log 2>&1",
    }
    flags = [
        # The processor is emulated: /dev/kvm may exist and not work, and CI has none. The lab
        # measures requests and ratios, not seconds.
        "disable-kvm",
        "disable-microvm",
        "force-9p",
        "no-dhcp",  # the DHCP client waits for udev, which is not there: see start_network
        *(["show-boot-console", "verbose"] if verbose else []),
    ]
    shared = [f"{GUEST_SCRATCH}={scratch}"]
    shared += [f"{GUEST_WRITABLE}/{number}={path}" for number, path in enumerate(writable)]
    return [
        str(setup.VIRTME_NG.path / "bin/virtme-run"),
        *(f"--{flag}" for flag in flags),
        *(f"--{name}={value}" for name, value in options.items()),
        *(f"--rwdir={directories}" for directories in shared),
        *(f"--qemu-opt={text}" for text in _qemu_options(images)),
    ]


def environment(scratch: Path) -> dict[str, str]:
    """For virtme-run: none of the user's settings, and the programs that it starts."""
    return {"HOME": str(scratch), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def _qemu_options(images: Sequence[Path]) -> list[str]:
    return ["-cpu", PROCESSOR, *QUIET_CONSOLES, *_root(), *_drives(images)]


def _root() -> list[str]:
    """The host's root once more, for boot.sh: virtme-ng's own cannot be given a cache."""
    shared = "local,id=lab,path=/,security_model=none,readonly=on,multidevs=remap"
    return ["-fsdev", shared, "-device", "virtio-9p-pci,fsdev=lab,mount_tag=lab"]


def _drives(images: Sequence[Path]) -> list[str]:
    """Disks whose content nobody needs afterwards."""
    drive = "file={},if=virtio,format=raw,cache=unsafe,discard=unmap"
    return [text for image in images for text in ("-drive", drive.format(image))]
