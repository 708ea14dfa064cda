"""CopyFile2 refuses or fails: the exception, or the copy that the fallback makes."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from windows.fake_copyfile2 import SYSTEM, faked, hresult, of_win32
from windows.system import PREFIX, kernel32, opened

import speedcopy
from speedcopy import _boundary, _results
from speedcopy._native import lib

#: Win32 codes that a copy may meet, by name.
MET = {
    "FILE_NOT_FOUND": 2, "PATH_NOT_FOUND": 3, "TOO_MANY_OPEN_FILES": 4, "ACCESS_DENIED": 5,
    "INVALID_HANDLE": 6, "NOT_ENOUGH_MEMORY": 8, "INVALID_DRIVE": 15, "NOT_SAME_DEVICE": 17,
    "WRITE_PROTECT": 19, "NOT_READY": 21, "CRC": 23, "SHARING_VIOLATION": 32,
    "LOCK_VIOLATION": 33, "NOT_SUPPORTED": 50, "BAD_NETPATH": 53, "NETNAME_DELETED": 64,
    "NETWORK_ACCESS_DENIED": 65, "BAD_NET_NAME": 67, "FILE_EXISTS": 80, "INVALID_PARAMETER": 87,
    "BROKEN_PIPE": 109, "SEM_TIMEOUT": 121, "INVALID_NAME": 123, "DIR_NOT_EMPTY": 145,
    "BAD_PATHNAME": 161, "ALREADY_EXISTS": 183, "FILENAME_EXCED_RANGE": 206,
    "FILE_TOO_LARGE": 223, "DIRECTORY": 267, "EAS_NOT_SUPPORTED": 282, "REQUEST_ABORTED": 1235,
    "PRIVILEGE_NOT_HELD": 1314, "STOPPED_ON_SYMLINK": 681, "ENCRYPTION_FAILED": 6000,
}  # fmt: skip
EXIST = {"FILE_EXISTS": 4, "ALREADY_EXISTS": 4}
FULL = {"DISK_FULL": 112, "HANDLE_DISK_FULL": 39, "DISK_QUOTA_EXCEEDED": 1295}


class TestErrors:
    """From a Win32 code to an exception: Python's own table."""

    def test_all_codes(self) -> None:
        """Every code makes the exception that Python itself raises for it, with both names."""
        for code in range(1, 0x4000):
            python: Any = ctypes.WinError(code)  # type: ignore[attr-defined, unused-ignore]
            with pytest.raises(OSError) as caught:  # noqa: PT011
                _results.raise_for(-(code | lib.SC_AT_BOTH), "src", Path("dst"))
            ours: Any = caught.value
            assert ours.__class__ is python.__class__
            assert (ours.errno, ours.winerror) == (python.errno, code)
            assert (ours.filename, ours.filename2) == ("src", "dst")
            assert "0x%X" not in str(ours)

    @pytest.mark.parametrize(
        ("layout", "names", "winerror", "kind"),
        [
            ("", ("missing", "dst"), 2, FileNotFoundError),
            ("", ("no/missing", "dst"), 3, FileNotFoundError),
            ("", ("src", "no/dst"), 3, FileNotFoundError),
            ("", ("src", "src/dst"), 3, FileNotFoundError),
            ("", (".", "dst"), 5, PermissionError),
            ("", ("src", "."), 5, PermissionError),
            ("", ("src", "a<b"), 123, OSError),
            ("read-only", ("src", "dst"), 5, PermissionError),
        ],
    )
    def test_winerror(
        self, layout: str, names: tuple[str, str], winerror: int, kind: type[OSError], src: Path
    ) -> None:
        """Errors have Windows' code, which shutil's lack, and the name that is at fault."""
        if layout:
            src.with_name("dst").write_bytes(b"old")
            os.chmod(src.with_name("dst"), 0o444)
        bad = os.path.join(src.parent, names[names[0] == "src"])
        with pytest.raises(OSError) as caught:  # noqa: PT011
            speedcopy.copyfile(
                os.path.join(src.parent, names[0]), os.path.join(src.parent, names[1])
            )
        error: Any = caught.value
        assert (error.winerror, error.filename, error.filename2) == (winerror, bad, None)
        assert error.__class__ is kind
        assert str(error).startswith(f"[WinError {winerror}] ")
        assert error.__context__ is None
        if layout:
            os.chmod(src.with_name("dst"), 0o666)

    def test_no_copyfile2(self) -> None:
        """A Windows without it says so when speedcopy is imported."""
        with pytest.raises(ImportError, match=r"CopyFile2.*ntdll\.dll"):
            _boundary.load_copyfile2("ntdll.dll")
        with pytest.raises(ImportError, match="CopyFile2"):
            _boundary.load_copyfile2("no such library.dll")
        _boundary.load_copyfile2(SYSTEM)


class TestRefused:
    """CopyFile2 fails: the fallback copies, or raises."""

    @pytest.mark.parametrize("over", [False, True])
    @pytest.mark.parametrize("name", MET)
    def test_win32(self, name: str, over: bool, src: Path, dst: Path) -> None:
        """The fallback copies, as only CopyFile2 may be unable to."""
        if over:
            dst.write_bytes(b"o" * 999_999)
        with faked(results=[of_win32(MET[name])] * 4) as fake:
            told = speedcopy.transfer(src, dst)
        assert dst.read_bytes() == src.read_bytes()
        assert (told.mechanism, told.copied) == ("shutil.copyfile", src.stat().st_size)
        assert told.declined == {"CopyFile2": f"WinError {MET[name]}"}
        # whether the file or a flag is invalid is tried once; after "exists" we look for dst again
        asked_again = {"INVALID_PARAMETER": 2} if over else {"INVALID_PARAMETER": 2, **EXIST}
        assert fake.calls == asked_again.get(name, 1)

    @pytest.mark.parametrize("code", [0x80004001, 0x80004005, 0x8000FFFF, 0xD0000022, 0x80040154])
    def test_other_hresult(self, code: int, src: Path, dst: Path) -> None:
        """An HRESULT that is no Win32 code is reported as it is."""
        with faked(results=[hresult(code)]):
            told = speedcopy.transfer(src, dst)
        assert told.declined == {"CopyFile2": f"HRESULT 0x{code:08X}"}
        assert dst.read_bytes() == src.read_bytes()

    def test_success_of_another_kind(self, src: Path, dst: Path) -> None:
        """S_FALSE is no failure."""
        dst.write_bytes(src.read_bytes())
        with faked(results=[1]):
            assert speedcopy.transfer(src, dst).mechanism == "CopyFile2"

    @pytest.mark.parametrize("name", FULL)
    @pytest.mark.parametrize("dst", [None, 10, 999_999], indirect=True)
    def test_full(self, name: str, src: Path, dst: Path) -> None:
        """A full disk has no fallback: both names are in the error, and no new file is left."""
        code = FULL[name]
        with faked(fail_after=2, failure=of_win32(code)) as fake, pytest.raises(OSError) as caught:  # noqa: PT011
            speedcopy.copyfile(src, dst)
        error: Any = caught.value
        assert (error.winerror, error.filename, error.filename2) == (code, str(src), str(dst))
        assert error.errno == (errno.ENOSPC if code == 112 else error.errno)
        assert fake.calls == 1
        assert not dst.exists()  # CopyFile2 has deleted it, as it does

    @pytest.mark.parametrize("dst", [None, 999_999], indirect=True)
    def test_midway(self, src: Path, dst: Path) -> None:
        """After a failure half-way, the fallback copies."""
        with faked(fail_after=2, failure=of_win32(64)):
            told = speedcopy.transfer(src, dst)
        assert (told.mechanism, told.copied) == ("shutil.copyfile", src.stat().st_size)
        assert told.declined == {"CopyFile2": "WinError 64"}
        assert dst.read_bytes() == src.read_bytes()

    @pytest.mark.parametrize("dst", [None, 999_999], indirect=True)
    @pytest.mark.parametrize("value", [1, 2, 4, 7])
    def test_midway_with_attributes(self, value: int, src: Path, dst: Path) -> None:
        """The fallback also copies over a dst that has got the attributes of src already."""
        windows = kernel32()
        windows.SetFileAttributesW(str(src), value)
        with faked(fail_after=2, failure=of_win32(64), leaves=1):
            told = speedcopy.transfer(src, dst)
        assert (told.mechanism, told.copied) == ("shutil.copyfile", src.stat().st_size)
        assert dst.read_bytes() == src.read_bytes()
        assert windows.GetFileAttributesW(str(dst)) == 0x20
        windows.SetFileAttributesW(str(src), 0x80)

    def test_before_dst_is_touched(self, src: Path, dst: Path) -> None:
        """A dst that nobody can open stays as it is."""
        dst.write_bytes(b"old")
        os.utime(dst, (1e9, 1e9))
        with faked(results=[of_win32(32)]), opened(str(dst), 0), pytest.raises(PermissionError):
            speedcopy.copyfile(src, dst)
        assert (dst.read_bytes(), dst.stat().st_mtime) == (b"old", 1e9)

    def test_same_error_gets_the_code(self, src: Path, dst: Path) -> None:
        """When the standard library fails alike, the code of Windows says why."""
        dst.mkdir()
        with pytest.raises(PermissionError) as caught:
            speedcopy.copyfile(src, dst)
        assert (caught.value.winerror, caught.value.filename) == (5, str(dst))  # type: ignore[attr-defined, unused-ignore]

    def test_another_error_does_not(self, src: Path, dst: Path) -> None:
        """When it fails otherwise, CopyFile2's code is not part of the error."""
        with faked(results=[of_win32(32)]), pytest.raises(FileNotFoundError) as caught:
            speedcopy.copyfile(src.with_name("missing"), dst)
        assert getattr(caught.value, "winerror", None) is None

    @pytest.mark.parametrize(
        "name",
        [
            "NUL",
            "\\\\.\\NUL",
            "src:stream",
            PREFIX + "pipe\\x",
            "\\\\nosuch\\pipe\\x",
            "//nosuch/PIPE/x/y",
            "\\\\nosuch\\mailslot\\x",
            "\\\\nosuch\\ipc$\\x",
            PREFIX + "UNC\\nosuch\\pipe\\x",
            "\\\\nosuch\\pipe\\" + "x" * 250,
        ],
    )
    def test_not_asked(self, name: str, src: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """CopyFile2 is not called for devices, pipes and streams."""
        monkeypatch.chdir(src.parent)
        with faked() as fake:
            for names in ((name, "dst"), ("src", name)):
                try:
                    told = speedcopy.transfer(*names)
                except OSError:
                    continue
                assert (told.mechanism, told.declined) == ("shutil.copyfile", {})
        assert fake.calls == 0
