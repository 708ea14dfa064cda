"""Debian packages: installed on this machine, or unpacked into the cache."""

from __future__ import annotations

import contextlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.programs import output

from lab import cache
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Another apt may be running: on a machine that has just started, or for somebody else.
WAIT_FOR_LOCK = ["-o", "DPkg::Lock::Timeout=300"]

# invoke-rc.d asks this script whether a package may start its service; 101 means no.
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\nexit 101\n"
SERVICES = Path("/etc/init.d")


def install(packages: Sequence[str]) -> None:
    """Install packages; none of their services is started, now or at the next boot."""
    apt_get = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", *WAIT_FOR_LOCK]
    output([*apt_get, "update"])
    before = set(SERVICES.glob("*"))
    with no_service_starts():
        output([*apt_get, "install", "--no-install-recommends", *packages])
    for service in sorted(set(SERVICES.glob("*")) - before):
        output(["update-rc.d", service.name, "disable"])


@contextlib.contextmanager
def no_service_starts() -> Iterator[None]:
    """Keep packages from starting what they install."""
    if POLICY.exists():  # the machine has a policy of its own: containers do
        yield
        return
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


@dataclass(frozen=True)
class Mirror:
    """Where this machine gets Debian from, by its own apt configuration."""

    url: str
    codename: str
    keyring: str

    @classmethod
    def of_this_machine(cls) -> Mirror:
        """Read it from apt; the release is the machine's own, not one of its extra sources."""
        if mirror := cls._known_to_apt("Debian", codename()):
            return mirror
        message = "apt of this machine knows no Debian mirror: the lab needs Debian"
        raise LabError(message)

    @classmethod
    def of_security(cls) -> Mirror | None:
        """Where the security updates come from, if this machine gets them."""
        return cls._known_to_apt("Debian-Security", f"{codename()}-security")

    @classmethod
    def _known_to_apt(cls, label: str, codename: str) -> Mirror | None:
        fields = "$(LABEL)|$(CODENAME)|$(REPO_URI)|$(SIGNED_BY)"
        targets = output(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"])
        for line in targets.splitlines():
            found, release, url, keyring = line.split("|")
            if (found, release) == (label, codename):
                return cls(url, codename, keyring if keyring.startswith("/") else "")
        return None

    def source(self, suite: str) -> str:
        """A line of sources.list; testing has no codename that an older release knows."""
        signed = f"[signed-by={self.keyring}] " if self.keyring else ""
        return f"deb {signed}{self.url} {suite} main\n"


def codename() -> str:
    """The name of this machine's release."""
    text = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)$", text, re.MULTILINE)
    return found.group(1) if found else ""


class Suite:
    """One suite of the mirror, with lists of its own: the machine's are left alone."""

    def __init__(self, name: str, mirror: Mirror, architecture: str = "") -> None:
        """Fetch its list of packages, into a folder of its own in the cache.

        The architecture is Debian's name of one; without, it is that of this machine.
        """
        self._folder = folder = (
            cache.folder() / "apt" / f"{name}{architecture and '-'}{architecture}"
        )
        lists = folder / "lists"
        lists.mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(mirror.source(name))
        self._options = [
            *("-o", f"Dir::Etc::sourcelist={folder}/sources.list"),
            *("-o", "Dir::Etc::sourceparts=-"),
            *("-o", f"Dir::State::lists={lists}"),
            *("-o", f"Dir::State::status={folder}/status"),
            *("-o", f"Dir::Cache={folder}/cache"),
            *("-o", "APT::Sandbox::User=root"),  # _apt cannot read a cache in root's home
        ]
        if architecture:
            self._options += ["-o", f"APT::Architecture={architecture}"]
            self._options += ["-o", f"APT::Architectures={architecture}"]
        output(["apt-get", "-qq", *self._options, "update"])

    def version(self, package: str) -> str:
        """Version of a package in this suite, or an empty string."""
        policy = output(["apt-cache", *self._options, "policy", package])
        found = re.search(r"Candidate: (?!\(none\))(\S+)", policy)
        return found.group(1) if found else ""

    def depends(self, package: str) -> list[str]:
        """Direct dependencies of a package."""
        text = output(["apt-cache", *self._options, "depends", package])
        return re.findall(r"^ *\|?Depends: ([^<\s]+)$", text, re.MULTILINE)

    def download_source(self, package: str, folder: Path) -> None:
        """Download the archives of a source package."""
        sources = self._folder / "sources.list"
        sources.write_text(sources.read_text().replace("deb ", "deb-src ", 1))
        for command in (["update"], ["source", "--download-only", package]):
            output(["apt-get", "-qq", *self._options, *command], folder)

    def unpack(
        self, packages: Iterable[str], root: Path, *, with_dependencies: bool = False
    ) -> None:
        """Unpack packages into a folder; nothing of them runs."""
        debs = self._folder / "cache/archives"
        shutil.rmtree(debs, ignore_errors=True)
        (debs / "partial").mkdir(parents=True)
        if with_dependencies:
            fetch = ["install", "--download-only", "--yes", "--no-install-recommends"]
        else:
            fetch = ["download"]
        output(["apt-get", "-qq", *self._options, *fetch, *packages], debs)
        root.mkdir(parents=True, exist_ok=True)
        # base-files first: it has the links /bin, /lib that the others are unpacked through
        for deb in sorted(
            debs.glob("*.deb"), key=lambda deb: (not deb.name.startswith("base-files"), deb.name)
        ):
            output(["dpkg-deb", "-x", str(deb), str(root)])
        shutil.rmtree(debs)
