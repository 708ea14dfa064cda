"""What CopyFile2 is asked for, and what dst has from src afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import itertools
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from windows.cases import LONG
from windows.fake_copyfile2 import faked, library, of_win32
from windows.system import PREFIX, SHARE, handles, kernel32

import speedcopy
from speedcopy import _fallback
from speedcopy._native import lib

if TYPE_CHECKING:
    from pathlib import Path

FAIL_IF_EXISTS, ALLOW_DECRYPTED, COPY_SYMLINK, SKIP_STREAMS = 0x1, 0x8, 0x800, 0x8000
COPY_OFFLOAD = 1


class TestAsked:
    """What CopyFile2 is asked for."""

    @pytest.mark.parametrize("over", [False, True])
    def test_flags(self, over: bool, src: Path, dst: Path) -> None:
        """Only data is copied, links are followed; flags and sizes are those of the SDK."""
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
        """Where streams would be copied too, CopyFile2 is not used; this is tried once."""
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
        """Windows accepts half a character of UTF-16 in a name."""
        monkeypatch.chdir(src.parent)
        with faked(results=[1]) as fake:
            speedcopy.copyfile("src", name)
        assert fake.dst == name

    def test_long_share(self, src: Path) -> None:
        """A long name on a server gets another prefix."""
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
        """Neither the attributes of src nor its time are copied, however often it is copied."""
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
        """A link is followed; the fallback copies it as a link."""
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
        """CopyFile2 may clone with holes, so ``sparse=False`` does not use it."""
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


def test_library_is_the_one_that_is_built(src: Path, dst: Path) -> None:
    """The fake is used while it should be, and Windows' own otherwise."""
    assert os.path.exists(library())
    with faked() as fake:
        speedcopy.copyfile(src, dst)
        assert fake.calls == 1
    speedcopy.copyfile(src, dst)
    assert fake.calls == 1
