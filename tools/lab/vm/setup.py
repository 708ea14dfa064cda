"""What the lab is made of: --setup builds the pieces, a run asks whether they are here."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cache
from lab.errors import LabError, MissingPieceError
from lab.packages import Mirror, Suite, install, output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
VIRTME_NG = "virtme-ng>=1.32"

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
KSMBD_TOOLS = "ksmbd-tools"
KSMBD_LIBRARIES = ("libnl-3-200", "libnl-genl-3-200")


@dataclass(frozen=True)
class Piece:
    """A folder of the cache that a run needs."""

    name: str
    entry: cache.Entry
    fill: Callable[[Path], None]
    option: str = ""  # that --setup must be given as well


def virtme_ng() -> Piece:
    """The vng program, in a virtual environment of its own."""
    return Piece("virtme-ng", _entry("virtme-ng"), _install_virtme_ng)


def ksmbd_tools() -> Piece:
    """The user-space half of the kernel's SMB server."""
    return Piece("ksmbd-tools", _entry("ksmbd-tools"), _unpack_ksmbd)


def kernel(version: str) -> Piece:
    """A kernel and its modules: 6.12, 6.1 or the newest of testing."""
    option = "" if version == DEFAULT_KERNEL else f" --kernel {version}"
    entry = _entry(f"kernel-{version}")
    return Piece(f"kernel {version}", entry, partial(_unpack_kernel, version), option)


def samba(name: str) -> Piece:
    """The root directory of a Samba of another Debian."""
    entry = _entry(f"samba-{name}")
    return Piece(f"Samba of {name}", entry, partial(_unpack_samba, name), f" --samba {name}")


def kernel_image(version: str) -> Path:
    """The file to boot; virtme-ng finds the modules beside its folder."""
    return next(kernel(version).entry.path.glob("boot/vmlinuz-*"))


def setup(kernel_version: str, samba_name: str, say: Callable[[str], None]) -> None:
    """Install and fetch what is missing, saying what is done."""
    provide(_missing_packages(), _pieces(kernel_version, samba_name), say)


def provide(packages: list[str], pieces: Iterable[Piece], say: Callable[[str], None]) -> None:
    """Install packages of Debian and build the pieces that are not here yet."""
    started = time.monotonic()
    say(f"Debian packages: {'installing ' + ' '.join(packages) if packages else 'here'}")
    if packages:
        install(packages)
    for piece in pieces:
        if piece.entry.complete:
            say(f"{piece.name}: here")
        else:
            say(f"{piece.name}: into {piece.entry.path}")
            piece.entry.build(piece.fill)
    say(f"set up in {time.monotonic() - started:.0f} s")


def require(kernel_version: str, samba_name: str) -> None:
    """Raise for the first piece that a run would miss."""
    for package in _missing_packages():
        name = f"Debian package {package}"
        raise MissingPieceError(name)
    for piece in _pieces(kernel_version, samba_name):
        if not piece.entry.complete:
            raise MissingPieceError(piece.name, f"--setup{piece.option}")


def require_root() -> None:
    """Loop mounts, packages and a guest that may read every file need root."""
    if os.geteuid():
        message = "needs root, for loop mounts: run it with sudo"
        raise LabError(message)


def _entry(name: str) -> cache.Entry:
    return cache.Entry(cache.folder() / name)


def _missing_packages() -> list[str]:
    return [package for package, file in PACKAGES.items() if not Path(file).exists()]


def _pieces(kernel_version: str, samba_name: str) -> list[Piece]:
    pieces = [virtme_ng(), ksmbd_tools(), kernel(kernel_version)]
    return pieces if samba_name == DEFAULT_SAMBA else [*pieces, samba(samba_name)]


def _suite(name: str, mirror: Mirror) -> Suite:
    suite = Suite(mirror, name, cache.folder() / "apt" / name)
    suite.update()
    return suite


def _install_virtme_ng(folder: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:  # Debian packages it apart
        install(["python3-venv"])
    output([sys.executable, "-m", "venv", str(folder)])
    output([f"{folder}/bin/pip", "install", "--quiet", VIRTME_NG])


def _unpack_ksmbd(folder: Path) -> None:
    mirror = Mirror.of_this_machine()
    release = _suite(mirror.codename, mirror)
    release.unpack(KSMBD_LIBRARIES, folder)
    backports = _suite(f"{mirror.codename}-backports", mirror)  # newer: for newer kernels
    source = backports if backports.version(KSMBD_TOOLS) else release
    source.unpack([KSMBD_TOOLS], folder)


def _unpack_samba(name: str, folder: Path) -> None:
    suite = _suite(name, Mirror.of_this_machine())
    suite.unpack(["base-files", "samba"], folder, with_dependencies=True)
    for file in ("passwd", "group"):  # a maintainer script would have made them
        shutil.copy(f"/etc/{file}", folder / "etc" / file)


def _unpack_kernel(version: str, folder: Path) -> None:
    mirror, security = Mirror.of_this_machine(), Mirror.of_security()
    # The updates come first: 6.12 there copies 16 MiB a request on SMB, where 6.12.95 of backports
    # copies one.
    suites = [(security.codename, security)] if security else []
    suites += [(f"{mirror.codename}-backports", mirror), (mirror.codename, mirror)]
    testing = [(TESTING, mirror)]
    for name, source in testing if version == TESTING else suites + testing:
        suite = _suite(name, source)
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
