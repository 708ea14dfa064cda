"""Windows: CopyFile2 as it is here, and, through a fake, as it is documented."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import itertools
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

if os.name != "nt":
    pytest.skip("needs Windows", allow_module_level=True)

from contract.outcome import Case, outcome_in
from windows.cases import CASES, LONG, PREFIX, SHARE, kernel32, opened
from windows.fake_copyfile2 import SYSTEM, faked, hresult, library, of_win32

import speedcopy
from speedcopy import _boundary, _fallback, _results
from speedcopy._native import lib

STDLIB = shutil.copyfile

FAIL_IF_EXISTS, ALLOW_DECRYPTED, COPY_SYMLINK, SKIP_STREAMS = 0x1, 0x8, 0x800, 0x8000
COPY_OFFLOAD = 1
CANCEL, STOP = 1, 2

#: Win32 codes that a copy may meet, by name; what Python makes of them is its business.
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

IS_WINE = hasattr(ctypes.CDLL("ntdll.dll"), "wine_get_version")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("copy", ["copyfile", "transfer", "twice"])
def test_case(case: Case, copy: str, folder: Path) -> None:
    """What shutil.copyfile makes of it, attributes and all; or what we promise instead."""

    def transfer(src: Any, dst: Any, **options: Any) -> Any:
        speedcopy.transfer(src, dst, **options)
        return dst

    def again(executor: Callable[..., Any], src: Any, dst: Any, **options: Any) -> Any:
        executor(src, dst, **options)
        return executor(src, dst, **options)

    theirs: Callable[..., Any] = STDLIB
    ours: Callable[..., Any] = {"transfer": transfer}.get(copy, speedcopy.copyfile)
    if copy == "twice":
        theirs = lambda *a, **o: again(STDLIB, *a, **o)  # noqa: E731
        ours = lambda *a, **o: again(speedcopy.copyfile, *a, **o)  # noqa: E731
    promised = outcome_in(folder, theirs, case)
    if case.promise:
        promised = case.promise.of(promised)
    assert outcome_in(folder, ours, case) == promised


@pytest.fixture
def src(folder: Path) -> Path:
    """A file of four chunks, less a bit."""
    path = folder / "src"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


@pytest.fixture
def dst(folder: Path) -> Path:
    """A name that is free."""
    return folder / "dst"


def handles() -> int:
    """How many handles this process has."""
    count = ctypes.c_ulong()
    windows = kernel32()
    windows.GetCurrentProcess.restype = ctypes.c_void_p
    windows.GetProcessHandleCount(ctypes.c_void_p(windows.GetCurrentProcess()), ctypes.byref(count))
    return count.value


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
        """What shutil has not: the code of Windows, beside the one name that it is about."""
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
    """CopyFile2 says no: the standard library has the last word."""

    @pytest.mark.parametrize("over", [False, True])
    @pytest.mark.parametrize("name", MET)
    def test_win32(self, name: str, over: bool, src: Path, dst: Path) -> None:
        """It may be only CopyFile2 that cannot."""
        if over:
            dst.write_bytes(b"o" * 999_999)
        with faked(results=[of_win32(MET[name])] * 4) as fake:
            told = speedcopy.transfer(src, dst)
        assert dst.read_bytes() == src.read_bytes()
        assert (told.mechanism, told.copied) == ("shutil.copyfile", src.stat().st_size)
        assert told.declined == {"CopyFile2": f"WinError {MET[name]}"}
        # whether it is the file or a flag is asked once; "exists" is followed by another look
        asked_again = {"INVALID_PARAMETER": 2} if over else {"INVALID_PARAMETER": 2, **EXIST}
        assert fake.calls == asked_again.get(name, 1)

    @pytest.mark.parametrize("code", [0x80004001, 0x80004005, 0x8000FFFF, 0xD0000022, 0x80040154])
    def test_other_hresult(self, code: int, src: Path, dst: Path) -> None:
        """What is no Win32 code is told as it is."""
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
    @pytest.mark.parametrize("old", [None, 10, 999_999])
    def test_full(self, name: str, old: Any, src: Path, dst: Path) -> None:
        """A full disk is believed: no new file is left, an old one is cut to what was copied."""
        if old:
            dst.write_bytes(b"o" * old)
        code = FULL[name]
        with faked(fail_after=2, failure=of_win32(code)) as fake, pytest.raises(OSError) as caught:  # noqa: PT011
            speedcopy.copyfile(src, dst)
        error: Any = caught.value
        assert (error.winerror, error.filename, error.filename2) == (code, str(src), str(dst))
        assert error.errno == (errno.ENOSPC if code == 112 else error.errno)
        assert fake.calls == 1
        assert not dst.exists()  # CopyFile2 has deleted it, as it does

    @pytest.mark.parametrize("old", [None, 999_999])
    def test_midway(self, old: Any, src: Path, dst: Path) -> None:
        """What fails half-way is copied by reading and writing."""
        if old:
            dst.write_bytes(b"o" * old)
        with faked(fail_after=2, failure=of_win32(64)):
            told = speedcopy.transfer(src, dst)
        assert (told.mechanism, told.copied) == ("shutil.copyfile", src.stat().st_size)
        assert told.declined == {"CopyFile2": "WinError 64"}
        assert dst.read_bytes() == src.read_bytes()

    @pytest.mark.parametrize("old", [None, 999_999])
    @pytest.mark.parametrize("value", [1, 2, 4, 7])
    def test_midway_with_attributes(self, value: int, old: Any, src: Path, dst: Path) -> None:
        """Nor does a dst that has got the attributes of src already stop the standard library."""
        windows = kernel32()
        if old:
            dst.write_bytes(b"o" * old)
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
        """A code that means something else would be a lie."""
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
        """Devices, pipes and streams are none of CopyFile2's business."""
        monkeypatch.chdir(src.parent)
        with faked() as fake:
            for names in ((name, "dst"), ("src", name)):
                try:
                    told = speedcopy.transfer(*names)
                except OSError:
                    continue
                assert (told.mechanism, told.declined) == ("shutil.copyfile", {})
        assert fake.calls == 0


class TestAsked:
    """What CopyFile2 is asked for."""

    @pytest.mark.parametrize("over", [False, True])
    def test_flags(self, over: bool, src: Path, dst: Path) -> None:
        """Data only; links are followed, no stream is copied; the parameters are the SDK's."""
        if over:
            dst.write_bytes(b"old")
        with faked() as fake:
            speedcopy.copyfile(src, dst)
        assert fake.calls == 1
        new = 0 if over else FAIL_IF_EXISTS
        assert fake.flags[0] == ALLOW_DECRYPTED | SKIP_STREAMS | new
        assert (lib.SC_ALLOW_DECRYPTED_DESTINATION, lib.SC_SKIP_ALTERNATE_STREAMS) == (8, 0x8000)
        assert fake.size == (32 if ctypes.sizeof(ctypes.c_void_p) == 8 else 20)

    @pytest.mark.parametrize("known", [0, 0xFFF], ids=["no flag", "before 10 2004"])
    def test_older_windows(self, known: int, src: Path, dst: Path) -> None:
        """Where streams would come along, CopyFile2 is not used; that is asked once."""
        with faked(known_flags=known) as fake:
            for _ in range(3):
                told = speedcopy.transfer(src, dst)
                assert (told.mechanism, told.declined) == (
                    "shutil.copyfile",
                    {"CopyFile2": "WinError 87"},
                )
                assert dst.read_bytes() == src.read_bytes()
        assert fake.calls == 2
        assert all(flags & SKIP_STREAMS for flags in fake.flags[:2])

    def test_invalid_file(self, src: Path, dst: Path) -> None:
        """A file for which the same error is returned changes nothing for the next one."""
        with faked(results=[of_win32(87), of_win32(2)]) as fake:
            told = speedcopy.transfer(src, dst)
            assert told.declined == {"CopyFile2": "WinError 87"}
            assert speedcopy.transfer(src, dst).mechanism == "CopyFile2"
        assert fake.calls == 3

    @pytest.mark.parametrize(
        ("name", "begins"),
        [
            ("dst", None),
            ("y" * 150 + ".", None),
            (os.path.join(LONG, "dst"), PREFIX),
        ],
    )
    def test_names(self, name: str, begins: Any, src: Path) -> None:
        """Only a long name gets a prefix."""
        os.makedirs(os.path.join(PREFIX + str(src.parent), os.path.dirname(name)), exist_ok=True)
        before = os.getcwd()
        os.chdir(src.parent)
        try:
            with faked() as fake:
                speedcopy.copyfile("src", name)
        finally:
            os.chdir(before)
        assert fake.src == "src"
        assert fake.dst.startswith(begins or name[:15])

    @pytest.mark.parametrize("name", ["\ud800", "x\udc80", "\U0001f600", "ü"])
    def test_characters(self, name: str, src: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half a character of UTF-16 is one to Windows."""
        monkeypatch.chdir(src.parent)
        with faked(results=[1]) as fake:
            speedcopy.copyfile("src", name)
        assert fake.dst == name

    def test_long_share(self, src: Path) -> None:
        """A server has a prefix of its own."""
        if not SHARE:
            pytest.skip("no share here: SPEEDCOPY_LAB_UNC names none")
        name = os.path.join(SHARE, "x" * 240)
        prefixed = (PREFIX + "UNC" + SHARE[1:])[:15]
        with faked() as fake:
            speedcopy.copyfile(src, name)
            assert (fake.src, fake.dst) == (str(src)[:15], prefixed)
            speedcopy.copyfile(name, src.with_name("dst"))
            assert fake.src == prefixed
        os.unlink(PREFIX + "UNC" + name[1:])

    @pytest.mark.parametrize("over", [False, True])
    @pytest.mark.parametrize("value", [1, 2, 4, 7, 0x20])
    def test_attributes(self, value: int, over: bool, src: Path, dst: Path) -> None:
        """Neither the attributes of src nor its time come along, however often it is copied."""
        windows = kernel32()
        if over:
            dst.write_bytes(b"old")
        os.utime(src, (1e9, 1e9))
        windows.SetFileAttributesW(str(src), value)
        of_src = windows.GetFileAttributesW(str(src))
        before = time.time()
        with faked() as fake:
            for _ in range(3):
                speedcopy.copyfile(src, dst)
        assert fake.calls == 3
        assert windows.GetFileAttributesW(str(dst)) == 0x20
        assert abs(dst.stat().st_mtime - before) < 60
        assert windows.GetFileAttributesW(str(src)) == of_src
        assert src.stat().st_mtime == 1e9
        windows.SetFileAttributesW(str(src), 0x80)

    def test_link(self, src: Path, dst: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A link is followed, or copied as a link, and that is the standard library's."""
        copied: list[tuple[object, ...]] = []
        monkeypatch.setattr(os.path, "islink", lambda path: os.fspath(path) == str(src))
        monkeypatch.setattr(
            _fallback, "stdlib_copyfile", lambda *names, **how: copied.append((*names, how))
        )
        with faked() as fake:
            speedcopy.copyfile(src, dst, follow_symlinks=False)
            assert (fake.calls, copied) == (0, [(src, dst, {"follow_symlinks": False})])
            speedcopy.copyfile(src, dst)
        assert fake.calls == 1
        assert not fake.flags[0] & COPY_SYMLINK
        assert dst.read_bytes() == src.read_bytes()

    def test_reflink(self, src: Path, dst: Path) -> None:
        """CopyFile2 may clone and does not say so: neither "always" nor "never" can use it."""
        with faked() as fake:
            with pytest.raises(OSError) as caught:  # noqa: PT011
                speedcopy.transfer(src, dst, reflink="always")
            assert caught.value.errno == errno.EOPNOTSUPP
            assert (caught.value.filename, caught.value.filename2) == (str(src), str(dst))
            assert not dst.exists()
            told = speedcopy.transfer(src, dst, reflink="never")
        assert (told.mechanism, told.declined, told.offloaded) == ("shutil.copyfile", {}, None)
        assert dst.read_bytes() == src.read_bytes()
        assert fake.calls == 0

    def test_no_holes(self, src: Path, dst: Path) -> None:
        """CopyFile2 may clone, holes and all: a dst without holes is not its business."""
        with faked() as fake:
            told = speedcopy.transfer(src, dst, sparse=False)
            assert (told.mechanism, told.declined) == ("shutil.copyfile", {})
        assert dst.read_bytes() == src.read_bytes()
        assert fake.calls == 0

    @pytest.mark.parametrize("flag", [0, COPY_OFFLOAD])
    def test_offloaded(self, flag: int, src: Path, dst: Path) -> None:
        """Whether a server or a storage device did it."""
        with faked(chunk_flags=flag):
            told = speedcopy.transfer(src, dst)
        assert told.offloaded is bool(flag)
        assert ("offloaded" in str(told)) is bool(flag)

    def test_nothing_is_left_open(self, src: Path, dst: Path) -> None:
        """No copy keeps a handle, be it refused, failed or stopped."""
        names = [(src, dst), (src, dst), (src, src), (src.with_name("no"), dst), (src, src.parent)]
        scripts: list[dict[str, Any]] = [
            {},
            {"results": [of_win32(5)]},
            {"results": [of_win32(112)]},
            {"fail_after": 2, "failure": of_win32(64)},
        ]

        def stop(*_: int) -> None:
            raise InterruptedError

        def all_of_it() -> None:
            for script in scripts:
                with faked(**script):
                    for pair, progress in itertools.product(names, (None, stop)):
                        with contextlib.suppress(OSError):
                            speedcopy.copyfile(*pair, progress=progress)
                    dst.unlink(missing_ok=True)

        all_of_it()
        gc.collect()
        before = handles()
        for _ in range(20):
            all_of_it()
        gc.collect()
        assert handles() < before + 10


class Stop(Exception):  # noqa: N818
    """What a progress raises."""


class TestProgress:
    """The tick, in the real C code."""

    def test_calls(self, src: Path, dst: Path) -> None:
        """At most every 50 ms, and once at the end."""
        told: list[tuple[int, int, float]] = []
        size = src.stat().st_size
        with faked(chunk=10_000, pause=10) as fake:
            speedcopy.copyfile(
                src, dst, progress=lambda *now: told.append((*now, time.perf_counter()))
            )
        assert fake.messages > 3 * 25
        assert 3 <= len(told) <= 30
        copied = [one[0] for one in told]
        assert copied == sorted(copied)
        assert {one[1] for one in told} == {size}
        assert copied[-1] == size
        gaps = [after[2] - before[2] for before, after in zip(told, told[1:-1])]
        assert min(gaps, default=1) >= 0.05

    def test_short(self, src: Path, dst: Path) -> None:
        """Of a copy that is done at once, only the end is told."""
        told: list[tuple[int, int]] = []
        with faked():
            speedcopy.copyfile(src, dst, progress=lambda *now: told.append(now))
        assert told == [(src.stat().st_size,) * 2]

    def test_slow_to_begin(self, src: Path, dst: Path) -> None:
        """Nothing is told before CopyFile2 has told how much there is: 0 of 0 would be the end."""
        told: list[tuple[int, int]] = []
        with faked(delay=120) as fake:
            speedcopy.copyfile(src, dst, progress=lambda *now: told.append(now))
        assert fake.messages
        assert {total for _, total in told} == {src.stat().st_size}

    def test_signal_before_the_beginning(self, src: Path, dst: Path) -> None:
        """Ctrl-C counts from the first message on."""
        timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
        with faked(delay=150) as fake:
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                speedcopy.copyfile(src, dst, progress=lambda *_: None)
        timer.join()
        assert (fake.messages, fake.action) == (1, CANCEL)
        assert not dst.exists()

    @pytest.mark.parametrize("old", [None, 10, 999_999])
    @pytest.mark.parametrize("kind", [Stop, KeyboardInterrupt, SystemExit, OSError])
    def test_raises(self, kind: type[BaseException], old: Any, src: Path, dst: Path) -> None:
        """The copy stops, and the exception comes out; nothing that could pass for a copy stays."""
        if old:
            dst.write_bytes(b"o" * old)
        raised = kind("enough")

        def progress(copied: int, _total: int) -> None:
            assert copied < src.stat().st_size
            raise raised

        with faked(chunk=10_000, pause=30) as fake, pytest.raises(kind) as caught:
            speedcopy.copyfile(src, dst, progress=progress)
        assert caught.value is raised
        assert fake.action == (STOP if old else CANCEL)
        if old:
            left = dst.read_bytes()
            assert 0 < len(left) < src.stat().st_size
            assert left == src.read_bytes()[: len(left)]
        else:
            assert not dst.exists()

    def test_read_only_src(self, src: Path, dst: Path) -> None:
        """What is stopped over an old file is cut and writable, whatever src is."""
        dst.write_bytes(b"o" * 999_999)
        os.chmod(src, 0o444)

        def progress(_copied: int, _total: int) -> None:
            raise Stop

        with faked(chunk=10_000, pause=30), pytest.raises(Stop):
            speedcopy.copyfile(src, dst, progress=progress)
        os.chmod(src, 0o666)
        assert 0 < dst.stat().st_size < src.stat().st_size
        speedcopy.copyfile(src, dst)
        assert dst.read_bytes() == src.read_bytes()

    @pytest.mark.parametrize("old", [None, 10])
    def test_raises_at_the_end(self, old: Any, src: Path, dst: Path) -> None:
        """Then all is copied; a new file goes nevertheless."""
        if old:
            dst.write_bytes(b"o" * old)

        def progress(_copied: int, _total: int) -> None:
            raise Stop

        os.chmod(src, 0o444)
        with faked(), pytest.raises(Stop):
            speedcopy.copyfile(src, dst, progress=progress)
        os.chmod(src, 0o666)
        assert (dst.exists() and dst.read_bytes() == src.read_bytes()) == bool(old)

    def test_not_called_again(self, src: Path, dst: Path) -> None:
        """What has raised is not asked again, whatever CopyFile2 still has to say."""
        calls = []

        def progress(copied: int, _total: int) -> None:
            calls.append(copied)
            raise Stop

        with faked(chunk=1000, pause=2), pytest.raises(Stop):
            speedcopy.copyfile(src, dst, progress=progress)
        assert len(calls) == 1

    @pytest.mark.parametrize("over", [False, True])
    def test_signal(self, over: bool, src: Path, dst: Path) -> None:
        """Ctrl-C stops a copy that nobody watches."""
        if over:
            dst.write_bytes(b"old")
        timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
        with faked(chunk=1000, pause=20):
            timer.start()
            started = time.perf_counter()
            with pytest.raises(KeyboardInterrupt):
                speedcopy.copyfile(src, dst)
            took = time.perf_counter() - started
        timer.join()
        assert took < 2
        assert dst.exists() == over

    def test_other_threads_run(self, src: Path, dst: Path) -> None:
        """The lock is not held in between."""
        steps = 0
        with faked(chunk=10_000, pause=10):
            thread = threading.Thread(target=speedcopy.copyfile, args=(src, dst))
            thread.start()
            while thread.is_alive():
                steps += 1
                time.sleep(0.001)
        assert steps > 20

    def test_threads(self, folder: Path) -> None:
        """Eight copies at once: each progress hears of its own, and stops its own."""
        sizes = [200_000 + index * 1000 for index in range(8)]
        stops = [Stop(index) if index % 2 else None for index in range(8)]

        def copy(index: int) -> object:
            src, dst = folder / f"src{index}", folder / f"dst{index}"
            src.write_bytes(bytes([index]) * sizes[index])
            heard: set[int] = set()

            def progress(_copied: int, total: int) -> None:
                heard.add(total)
                stop = stops[index]
                if stop:
                    raise stop

            try:
                speedcopy.copyfile(src, dst, progress=progress)
            except Stop as error:
                assert not dst.exists()
                return error, heard
            assert dst.read_bytes() == src.read_bytes()
            return None, heard

        with faked(chunk=10_000, pause=10) as fake, ThreadPoolExecutor(8) as pool:
            told = list(pool.map(copy, range(8)))
        assert told == [(stop, {size}) for stop, size in zip(stops, sizes)]
        assert fake.calls == 8

    def test_left_to_the_standard_library(self, folder: Path, dst: Path) -> None:
        """There, too, progress is called, and stops it."""
        src = folder / "large"
        src.write_bytes(os.urandom(1 << 20) * 24)
        told: list[tuple[int, int]] = []
        speedcopy.transfer(src, dst, reflink="never", progress=lambda *now: told.append(now))
        assert told[-1] == (24 << 20, 24 << 20)
        assert dst.stat().st_size == 24 << 20
        dst.unlink()

        def progress(_copied: int, _total: int) -> None:
            raise Stop

        with pytest.raises(Stop):
            speedcopy.transfer(src, dst, reflink="never", progress=progress)
        assert not dst.exists()

    @pytest.mark.skipif(not IS_WINE, reason="only Wine's CopyFile2 never calls back")
    def test_wine(self, folder: Path, dst: Path) -> None:
        """What takes long is not given to a CopyFile2 that nobody can stop."""
        src = folder / "large"
        for size, mechanism in ((4 << 20, "CopyFile2"), ((4 << 20) + 1, "shutil.copyfile")):
            with open(src, "wb") as new:
                new.truncate(size)
            told = speedcopy.transfer(src, dst)
            assert (told.mechanism, told.copied, told.offloaded) == (mechanism, size, None)


def test_library_is_the_one_that_is_built(src: Path, dst: Path) -> None:
    """The fake is used while it should be, and Windows' own otherwise."""
    assert os.path.exists(library())
    with faked() as fake:
        speedcopy.copyfile(src, dst)
        assert fake.calls == 1
    speedcopy.copyfile(src, dst)
    assert fake.calls == 1
