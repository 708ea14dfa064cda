"""What --setup of this lab fetches and installs."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

from common.programs import output

from lab import pieces
from lab.errors import LabError
from lab.packages import Mirror, Suite, install
from lab.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Debian package: a file that shows that it is here. A run looks for the file: dpkg is slow.
PACKAGES = {
    "qemu-system-x86": "/usr/bin/qemu-system-x86_64",
    "kmod": "/usr/sbin/depmod",
    "xz-utils": "/usr/bin/xz",
    "zstd": "/usr/bin/zstd",
    "file": "/usr/bin/file",  # virtme-ng reads a kernel's version with it
    "busybox-static": "/usr/bin/busybox",
    "iproute2": "/usr/sbin/tc",
    "samba": "/usr/sbin/smbd",
    "samba-vfs-modules": f"/usr/lib/{platform.machine()}-linux-gnu/samba/vfs/btrfs.so",
    "cifs-utils": "/usr/sbin/mount.cifs",
    "nfs-kernel-server": "/usr/sbin/rpc.nfsd",
    "xfsprogs": "/usr/sbin/mkfs.xfs",
    "btrfs-progs": "/usr/bin/btrfs",
}

DEFAULT_KERNEL = "6.12"
TESTING = "testing"
KERNEL_PACKAGE = "linux-image-amd64"  # the plain kernel: the cloud one lacks 9p
VERSIONED_KERNEL_PACKAGE = "linux-image-{}-amd64"  # of a newer kernel, among the security updates
KERNEL_PARTS = re.compile(r"linux-(image|binary|modules)-\d")
# The rest are drivers of hardware that QEMU does not have, nine tenths of it all.
NEEDED_MODULES = re.compile(
    r"(arch|block|crypto|fs|lib|net|drivers/(block|char|virtio))/|drivers/net/[^/]+$"
)

DEFAULT_SAMBA = "installed"
SAMBAS = (DEFAULT_SAMBA, TESTING)

# ksmbd-tools conflicts with samba, so it is unpacked beside it; libnl is its only dependency
# that the packages above do not bring.
KSMBD_PACKAGE = "ksmbd-tools"
KSMBD_LIBRARIES = ("libnl-3-200", "libnl-genl-3-200")


def kernel(version: str) -> Piece:
    """A kernel and its modules: 6.12, 6.1 or the newest of testing."""
    option = "" if version == DEFAULT_KERNEL else f" --kernel {version}"
    place = f"kernel-{version}"
    return Piece(f"kernel {version}", place, partial(_unpack_kernel, version), option)


def samba(name: str) -> Piece:
    """The root directory of a Samba of another Debian."""
    fill = partial(_unpack_samba, name)
    return Piece(f"Samba of {name}", f"samba-{name}", fill, f" --samba {name}")


def kernel_image(version: str) -> Path:
    """The file to boot; virtme-ng finds the modules beside its folder."""
    return next(kernel(version).path.glob("boot/vmlinuz-*"))


def setup(kernel_version: str, samba_name: str, say: Callable[[str], None]) -> None:
    """Install and fetch what is missing, saying what is done."""
    pieces.provide(PACKAGES, _pieces(kernel_version, samba_name), say)


def require(kernel_version: str, samba_name: str) -> None:
    """Raise for the first piece that a run would miss."""
    pieces.require(PACKAGES, _pieces(kernel_version, samba_name))


def require_root() -> None:
    """Loop mounts, packages and a guest that may read every file need root."""
    if os.geteuid():
        message = "needs root, for loop mounts: run it with sudo"
        raise LabError(message)


def _pieces(kernel_version: str, samba_name: str) -> list[Piece]:
    always = [VIRTME_NG, KSMBD_TOOLS, kernel(kernel_version)]
    return always if samba_name == DEFAULT_SAMBA else [*always, samba(samba_name)]


def _install_virtme_ng(folder: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:  # Debian has it in a package
        install(["python3-venv"])
    output([sys.executable, "-m", "venv", str(folder)])
    output([f"{folder}/bin/pip", "install", "--quiet", "virtme-ng>=1.32"])


def _unpack_ksmbd(folder: Path) -> None:
    mirror = Mirror.of_this_machine()
    release = Suite(mirror.codename, mirror)
    release.unpack(KSMBD_LIBRARIES, folder)
    backports = Suite(f"{mirror.codename}-backports", mirror)  # newer: for newer kernels
    source = backports if backports.version(KSMBD_PACKAGE) else release
    source.unpack([KSMBD_PACKAGE], folder)


def _unpack_samba(name: str, folder: Path) -> None:
    suite = Suite(name, Mirror.of_this_machine())
    suite.unpack(["base-files", "samba"], folder, with_dependencies=True)
    for file in ("passwd", "group"):  # a maintainer script would have made them
        shutil.copy(f"/etc/{file}", folder / "etc" / file)


def _unpack_kernel(version: str, folder: Path) -> None:
    mirror, security = Mirror.of_this_machine(), Mirror.of_security()
    # Security updates come first: their 6.12 copies 16 MiB in one SMB request, 6.12.95 of backports
    # copies 1 MiB.
    suites = [(security.codename, security)] if security else []
    suites += [(f"{mirror.codename}-backports", mirror), (mirror.codename, mirror)]
    testing = [(TESTING, mirror)]
    for name, source in testing if version == TESTING else suites + testing:
        suite = Suite(name, source)
        for package in (KERNEL_PACKAGE, VERSIONED_KERNEL_PACKAGE.format(version)):
            if version == TESTING or suite.version(package).startswith(f"{version}."):
                suite.unpack(_kernel_packages(suite, package), folder)
                return _arrange_kernel(folder)
    message = f"no kernel {version} in Debian's {', '.join(name for name, _ in suites + testing)}"
    raise LabError(message)


def _kernel_packages(suite: Suite, package: str) -> list[str]:
    """Follow the package that names the newest kernel: newer releases split it in two."""
    found: list[str] = []
    pending = [package]
    while pending:
        parts = [name for name in suite.depends(pending.pop()) if KERNEL_PARTS.match(name)]
        found += parts
        pending += parts
    return found


def _arrange_kernel(folder: Path) -> None:
    """Lay it out as virtme-ng reads it, boot/vmlinuz-RELEASE and lib/modules/RELEASE."""
    if (folder / "usr/lib/modules").exists():
        (folder / "lib").mkdir(exist_ok=True)
        (folder / "usr/lib/modules").rename(folder / "lib/modules")
    (modules,) = (folder / "lib/modules").iterdir()
    if (modules / "vmlinuz").exists():
        (folder / "boot").mkdir(exist_ok=True)
        (modules / "vmlinuz").rename(folder / f"boot/vmlinuz-{modules.name}")
    _trim_modules(modules / "kernel")
    output(["depmod", "-b", str(folder), modules.name])


def _trim_modules(folder: Path) -> None:
    """Keep what the lab loads, unpacked: emulated, xz would take seconds of every boot."""
    for module in folder.rglob("*.ko*"):
        if not NEEDED_MODULES.match(str(module.relative_to(folder))):
            module.unlink()
    if packed := [str(module) for module in folder.rglob("*.ko.xz")]:
        output(["xz", "--decompress", *packed])


# The vng program, in a virtual environment of its own.
VIRTME_NG = Piece("virtme-ng", "virtme-ng", _install_virtme_ng)
# The user-space half of the kernel's SMB server.
KSMBD_TOOLS = Piece("ksmbd-tools", "ksmbd-tools", _unpack_ksmbd)
