"""probe(): what it asks, what it says, and that nothing is left."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Optional

import pytest
from support.process_limits import unprivileged
from support.python import importing

import speedcopy
from speedcopy import _loader
from speedcopy._probe import places, reasons
from speedcopy._probe.places import Place

if TYPE_CHECKING:
    from pathlib import Path

    from support.filesystems import Mounts

if _loader.native is not None:
    from speedcopy._probe import asking

needs_native = pytest.mark.skipif(_loader.native is None, reason="no native layer here")


def answers(found: speedcopy.Probe) -> dict[str, str]:
    """By mechanism: "works", "not asked", or the errno."""
    return {row.name: row.errno or row.answer for row in found.mechanisms}


@needs_native
def test_here(tmp_path: Path) -> None:
    """Each mechanism has an answer with a sentence; the mechanism of a copy works."""
    (tmp_path / "src").write_bytes(b"data")
    found = speedcopy.probe(tmp_path)
    assert [row.name for row in found.mechanisms] == list(asking.MECHANISMS)
    assert all(row.sentence for row in found.mechanisms)
    assert {row.answer for row in found.mechanisms} <= {"works", "declined", "not asked"}
    assert found.uses == speedcopy.transfer(tmp_path / "src", tmp_path / "dst").mechanism
    assert answers(found)[found.uses] == "works"
    assert (found.native, found.why_not_native) == (True, "")
    assert sorted(os.listdir(tmp_path)) == ["dst", "src"]


def test_report(tmp_path: Path) -> None:
    """As text it names all of that, as dictionaries it is JSON."""
    found = speedcopy.probe(os.fsencode(tmp_path), tmp_path)
    told = found.as_dict()
    assert json.loads(json.dumps(told)) == {
        **told,
        "mechanisms": list(told["mechanisms"]),
    }
    assert told["src"]["directory"] == str(tmp_path)
    lines = str(found).splitlines()
    assert [line.split(":")[0] for line in lines[3:-1]] == [row.name for row in found.mechanisms]
    assert lines[-1].startswith(f"A copy uses {found.uses}")


#: By file system: what is asked there.
LAST = {"sendfile": "works", "read/write": "works"}
CANNOT = {"FICLONE": "EOPNOTSUPP", reasons.COPYCHUNK: "not asked", "copy_file_range": "works"}
KINDS = {
    "btrfs": {**CANNOT, "FICLONE": "works", **LAST},
    "xfs": {**CANNOT, "FICLONE": "works", **LAST},
    "xfs without reflink": {**CANNOT, **LAST},
    "ext4 of 1 KiB blocks": {**CANNOT, **LAST},
    "tmpfs": {**CANNOT, **LAST},
}
SENTENCES = {
    "btrfs": "the two files share the data",
    "xfs": "the two files share the data",
    "xfs without reflink": "this XFS has no reflinks: it needs mkfs.xfs -m reflink=1",
    "ext4 of 1 KiB blocks": "ext4 cannot clone: btrfs, XFS, bcachefs and ZFS can",
    "tmpfs": "tmpfs cannot clone: btrfs, XFS, bcachefs and ZFS can",
}


@needs_native
@pytest.mark.parametrize("kind", KINDS)
def test_file_systems(kind: str, mounts: Mounts) -> None:
    """The answers, and what is said about cloning."""
    found = speedcopy.probe(mounts[kind])
    assert found.dst.file_system == kind.split(maxsplit=1)[0]
    assert answers(found) == KINDS[kind]
    assert found.mechanisms[0].sentence == SENTENCES[kind]
    by_range = (
        "share the data" if KINDS[kind]["FICLONE"] == "works" else "pass through this machine"
    )
    assert by_range in found.mechanisms[2].sentence
    assert [name for name in os.listdir(mounts[kind]) if name.startswith(".speedcopy")] == []


@needs_native
def test_two_file_systems(mounts: Mounts) -> None:
    """Between two, nothing is shared; both are named."""
    found = speedcopy.probe(mounts["btrfs"], mounts["xfs"])
    told = answers(found)
    assert (told["FICLONE"], told["copy_file_range"], found.uses) == ("EXDEV", "EXDEV", "sendfile")
    assert (found.src.file_system, found.dst.file_system) == ("btrfs", "xfs")
    assert found.mechanisms[0].sentence == "these are two file systems to the kernel"


@needs_native
def test_chattr(mounts: Mounts) -> None:
    """A btrfs directory without checksums, whose files no other file can share data with."""
    folder = mounts["btrfs"] / "nodatacow"
    folder.mkdir()
    if subprocess.run(["chattr", "+C", folder], capture_output=True, check=False).returncode:
        pytest.skip("no chattr here")
    row = speedcopy.probe(mounts["btrfs"], folder).mechanisms[0]
    assert (row.errno, "chattr +C" in row.sentence) == ("EINVAL", True)


REFUSED = {
    "missing": ("no", None),
    "missing dst": (".", "no"),
    "no directory": ("file", None),
    "no directory as dst": (".", "file"),
    "forbidden": ("forbidden", None),
    "forbidden dst": (".", "forbidden"),
}


@pytest.mark.parametrize(("src", "dst"), REFUSED.values(), ids=REFUSED)
def test_refused(
    src: str, dst: Optional[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file can be made, the error is the system's, and nothing is left."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "forbidden").mkdir(mode=0o555)
    tmp_path.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    with unprivileged():
        try:
            open(f"{dst or src}/new", "xb").close()
        except OSError as error:
            theirs = error.errno
        else:
            pytest.skip("everything is allowed here")
        with pytest.raises(OSError) as caught:  # noqa: PT011
            speedcopy.probe(src, dst)
    assert caught.value.errno == theirs
    assert sorted(os.listdir(tmp_path)) == ["file", "forbidden"]


@needs_native
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_stopped(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends it half-way, nothing is left."""
    asked = []

    def ask(name: str, *_names: str) -> str:
        asked.append(os.listdir(tmp_path))
        if name == asking.MECHANISMS[-1]:
            raise error
        return "EXDEV"

    monkeypatch.setattr(asking, "ask", ask)
    with pytest.raises(error):
        speedcopy.probe(tmp_path)
    assert asked[-1]
    assert os.listdir(tmp_path) == []


@needs_native
def test_wrong_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mechanism that says it works is believed when dst is read."""

    def ask(_name: str, _src: str, dst: str) -> str:
        with open(dst, "wb") as file:
            file.write(b"something else")
        return ""

    monkeypatch.setattr(asking, "ask", ask)
    assert {row.sentence for row in speedcopy.probe(tmp_path).mechanisms} == {
        "it has copied wrong data"
    }


def test_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the native layer is active is asked when probe is called."""
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DISABLE", True)
    found = speedcopy.probe(tmp_path)
    assert (found.native, found.uses) == (False, "shutil.copyfile")
    assert "SPEEDCOPY_DISABLE" in str(found) or _loader.native is None


def test_without_native(tmp_path: Path) -> None:
    """Without it there are fewer facts, and the reason."""
    code = (
        "import sys, warnings; warnings.simplefilter('ignore'); "
        "sys.modules['speedcopy._native'] = None; import speedcopy; print(speedcopy.probe('.'))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=importing(),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = told.stdout.splitlines()
    assert lines[2].endswith("not active: " + _loader.REASONS["not built"])
    assert lines[3:] == ["A copy uses shutil.copyfile."]
    assert os.listdir(tmp_path) == []


@needs_native
def test_another_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no /proc, what it would say is empty."""
    monkeypatch.setattr(places, "read", lambda _: "")
    found = speedcopy.probe(tmp_path)
    assert sys.platform == "win32" or found.dst == Place(str(tmp_path))
    assert found.uses in answers(found)


MOUNTINFO = r"""
20 1 8:1 / / rw - ext4 /dev/sda1 rw
21 20 0:43 / {folder} rw,relatime shared:1 - {kind} {source} {options}
"""
DEBUG_DATA = """
	1) \\\\nas\\show Mounts: 1 DevInfo: 0x20 Attributes: {attributes}
	PathComponentMax: 255 Status: 1 type: DISK Serial Number: 0x0
	2) \\\\nas\\other share Mounts: 1 DevInfo: 0x20 Attributes: 0x1006f
"""
SMB = ("cifs", "//nas/show/2026", "rw,vers=3.1.1,sec=none")
SHOW = Place("", "cifs", "//nas/show/2026", "nas", "SMB 3.1.1", announces_clones=False)
MOUNTED: dict[str, tuple[tuple[str, str, str], str, Place]] = {
    "SMB": (SMB, "0x1006f", SHOW),
    "SMB that clones": (SMB, "0x801007f", replace(SHOW, announces_clones=True)),
    "SMB with a space": (
        ("cifs", r"//NAS/other\040share", "rw,vers=1.0"),
        "0x0",
        Place("", "cifs", "//NAS/other share", "NAS", "SMB 1.0", announces_clones=False),
    ),
    "SMB of an unknown version": (
        ("smb3", "//nas/x", "rw,vers=default"),
        "0x0",
        Place("", "smb3", "//nas/x", "nas", "SMB"),
    ),
    "NFS 4.2": (
        ("nfs4", "nas:/show", "rw,vers=4.2,proto=tcp"),
        "0x0",
        Place("", "nfs4", "nas:/show", "nas", "NFS 4.2"),
    ),
    "NFS 3": (
        ("nfs", "[fe80::1]:/show", "rw,proto=tcp,mountvers=2,vers=3"),
        "0x0",
        Place("", "nfs", "[fe80::1]:/show", "[fe80::1]", "NFS 3"),
    ),
    "disk": (("ext4", "/dev/sdb1", "rw"), "0x0", Place("", "ext4", "/dev/sdb1")),
}


@pytest.mark.skipif(
    not (hasattr(os, "O_DIRECTORY") and os.path.exists("/proc/self/mountinfo")),
    reason="no mounts as Linux has them",
)
@pytest.mark.parametrize(("mount", "attributes", "expected"), MOUNTED.values(), ids=MOUNTED)
def test_places(
    mount: tuple[str, str, str],
    attributes: str,
    expected: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the kernel's tables say about a mount."""

    def read(path: str) -> str:
        kind, source, options = mount
        if path.endswith("mountinfo"):
            return MOUNTINFO.format(folder=tmp_path, kind=kind, source=source, options=options)
        return DEBUG_DATA.format(attributes=attributes) if "cifs" in path else "mnt_id:\t21\n"

    monkeypatch.setattr(places, "read", read)
    found = places.place(str(tmp_path))
    assert found == replace(expected, directory=str(tmp_path), device="0:43")


def smb(version: str = "3.1.1", device: str = "0:1", *, clones: bool = False) -> Place:
    """A share."""
    return Place("/mnt", "cifs", "//nas/show", "nas", f"SMB {version}", clones, device)


def nfs(version: str) -> Place:
    """An export."""
    return Place("/mnt", "nfs4", "nas:/show", "nas", f"NFS {version}", None, "0:2")


def disk(kind: str, device: str = "8:1") -> Place:
    """A local file system."""
    return Place("/", kind, "/dev/sda1", device=device)


FICLONE, COPYCHUNK, RANGE = reasons.FICLONE, reasons.COPYCHUNK, reasons.COPY_FILE_RANGE
REASONS: tuple[tuple[str, str, Place, Place, str], ...] = (
    (FICLONE, "EOPNOTSUPP", smb(), smb(), "does not announce block cloning"),
    (FICLONE, "EOPNOTSUPP", smb(clones=True), smb(clones=True), "refuses it all the same"),
    (FICLONE, "EOPNOTSUPP", smb("1.0"), smb("1.0"), "SMB 1.0 cannot clone: mount with vers=3.1.1"),
    (FICLONE, "EOPNOTSUPP", smb("2.1"), smb("2.1"), "SMB 2.1 cannot clone: mount with vers=3.1.1"),
    (FICLONE, "EXDEV", smb(), smb(device="0:9"), "a server clones within one"),
    (FICLONE, "EOPNOTSUPP", nfs("3"), nfs("3"), "NFS 3 cannot clone: mount with vers=4.2"),
    (FICLONE, "EOPNOTSUPP", nfs("4.2"), nfs("4.2"), "the server's file system cannot clone"),
    (FICLONE, "ENOTTY", disk("zfs"), disk("zfs"), "zfs_bclone_enabled=1"),
    (FICLONE, "EOPNOTSUPP", disk("overlay"), disk("overlay"), "below the overlay"),
    (FICLONE, "ENOSYS", disk("fuse.sshfs"), disk("fuse.sshfs"), "fuse.sshfs cannot clone"),
    (FICLONE, "EXDEV", disk("xfs"), disk("xfs"), "from 5.18 on"),
    (FICLONE, "EXDEV", disk("xfs"), disk("xfs", "8:2"), "two file systems"),
    (FICLONE, "EINVAL", disk("xfs"), disk("xfs"), os.strerror(errno.EINVAL)),
    (COPYCHUNK, "EOPNOTSUPP", smb("1.0"), smb("1.0"), "SMB 1.0 cannot: mount with vers=3.1.1"),
    (COPYCHUNK, "EOPNOTSUPP", smb(), smb(), "the server has no server-side copy"),
    (COPYCHUNK, "EXDEV", smb(), smb(device="0:9"), "different sessions"),
    (COPYCHUNK, "ENOTTY", smb(), disk("ext4"), "dst is not on SMB"),
    (COPYCHUNK, "ENOENT", smb(), smb(device="0:9"), "between two shares"),
    (COPYCHUNK, "EACCES", smb(), smb(), "the server refuses, or seccomp"),
    (RANGE, "EPERM", disk("ext4"), disk("ext4"), "seccomp"),
    (RANGE, "no data", disk("ext4"), disk("ext4"), "copied nothing"),
    ("CopyFile2", "WinError 5", Place("C:"), Place("C:"), "refused with WinError 5"),
)


@pytest.mark.parametrize(
    ("mechanism", "refusal", "src", "dst", "expected"),
    REASONS,
    ids=[f"{row[0]} {row[1]} {row[3].protocol or row[3].file_system}" for row in REASONS],
)
def test_reasons(mechanism: str, refusal: str, src: Place, dst: Place, expected: str) -> None:
    """Each refusal has a sentence that names what is missing."""
    assert expected in reasons.declined(mechanism, refusal, src, dst)


WORKS: tuple[tuple[str, Place, Optional[bool], bool, str], ...] = (
    (FICLONE, disk("btrfs"), None, True, "the two files share the data"),
    (FICLONE, nfs("4.2"), True, True, "the server shares the data"),
    (COPYCHUNK, smb(), True, False, "the server copies"),
    (RANGE, smb(), True, False, "the server copies"),
    (RANGE, nfs("4.2"), False, False, "but the client of this machine reads and writes"),
    (RANGE, disk("xfs"), None, True, "the two files share the data, where"),
    (RANGE, disk("xfs"), None, False, "the kernel copies, and all bytes pass through"),
    (RANGE, disk("ext4"), None, False, "the kernel copies, and all bytes pass through"),
    (RANGE, disk("fuse.mergerfs"), None, False, "the file system copies, or else the kernel"),
    (RANGE, nfs("4.2"), None, False, "the file system copies, or else the kernel"),
)


@pytest.mark.parametrize(
    ("mechanism", "place", "by_server", "clones", "expected"),
    WORKS,
    ids=[f"{row[0]} {row[1].protocol or row[1].file_system} {row[2]} {row[3]}" for row in WORKS],
)
def test_works(
    mechanism: str, place: Place, by_server: Optional[bool], *, clones: bool, expected: str
) -> None:
    """Who copies, if it is known."""
    told = reasons.works(mechanism, place, place, by_server=by_server, clones=clones)
    assert told.startswith(expected)


@pytest.mark.parametrize(("disabled", "why_not"), [(False, ""), (True, "SPEEDCOPY_DISABLE is set")])
def test_why_not_native(
    disabled: bool,
    why_not: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether the native layer copies is a question with an answer."""
    pytest.importorskip("speedcopy._native", reason="no native layer on this platform")
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DISABLE", disabled)
    assert speedcopy.why_not_native() == why_not
