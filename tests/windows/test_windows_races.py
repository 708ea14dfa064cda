"""What other programs do to dst between our look and CopyFile2's return."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
from support.cancelling import Stop, stop
from windows.fake_copyfile2 import CANCEL, STOP, faked, of_win32
from windows.system import ARCHIVE, HIDDEN, READ_ONLY, kernel32

import speedcopy
from speedcopy._native import lib

DISK_FULL, INVALID_ARGUMENT = of_win32(112), of_win32(87)
THEIRS = b"somebody else's"


#: How a copy ends, and what the fake has to do for it: pauses make time for a tick.
ENDS: dict[str, tuple[dict[str, Any], Any]] = {
    "success": ({}, None),
    "cancelled": ({"chunk": 10_000, "pause": 30}, Stop),
    "cancelled at the end": ({}, Stop),
    "disk full": ({"fail_after": 2, "failure": DISK_FULL}, OSError),
    "disk full, left": ({"fail_after": 2, "failure": DISK_FULL, "leaves": 1}, OSError),
}


def copy_to_the(end: str, src: Path, dst: Path, **moments: Callable[[], object]) -> Any:
    """Makes a copy that ends so, while the test acts at these moments. Returns the fake."""
    script, error = ENDS[end]
    progress = stop if error is Stop else None
    with faked(at=moments, **script) as fake:
        if error:
            with pytest.raises(error):
                speedcopy.copyfile(src, dst, progress=progress)
        else:
            speedcopy.copyfile(src, dst)
    return fake


@pytest.fixture(params=[READ_ONLY, HIDDEN], ids=["read-only", "hidden"])
def other(request: pytest.FixtureRequest, folder: Path) -> Path:
    """Somebody else's file, with its attributes."""
    path = folder / "other"
    path.write_bytes(THEIRS)
    os.utime(path, (1e9, 1e9))
    assert kernel32().SetFileAttributesW(str(path), request.param)
    return path


def assert_untouched(path: Path) -> None:
    """``other`` is as it was."""
    assert path.read_bytes() == THEIRS
    assert path.stat().st_mtime == 1e9
    assert kernel32().GetFileAttributesW(str(path)) & (READ_ONLY | HIDDEN)
    path.chmod(0o666)


class TestCreatedMeanwhile:
    """Somebody creates dst after we have looked for it and found none."""

    def test_success(self, src: Path, dst: Path) -> None:
        """After a second look their file is overwritten, as the standard library would do."""
        fake = copy_to_the("success", src, dst, open=lambda: dst.write_bytes(THEIRS))
        assert list(fake.flags[:2]) == [0x8009, 0x8008]
        assert dst.read_bytes() == src.read_bytes()

    @pytest.mark.parametrize("end", ["cancelled", "cancelled at the end", "disk full, left"])
    def test_not_deleted(self, end: str, src: Path, dst: Path) -> None:
        """A file that we have not created is truncated to what was copied."""
        made: list[Path] = []

        def create() -> None:
            if not made:
                dst.write_bytes(THEIRS)
                made.append(dst)

        fake = copy_to_the(end, src, dst, open=create)
        assert fake.action != CANCEL
        assert src.read_bytes().startswith(dst.read_bytes())
        assert (dst.stat().st_size == src.stat().st_size) == (end == "cancelled at the end")

    def test_again_and_again(self, src: Path, dst: Path) -> None:
        """After some tries the fallback makes the copy."""
        with faked(at={"open": lambda: dst.write_bytes(b"x"), "return": dst.unlink}) as fake:
            told = speedcopy.transfer(src, dst)
        assert fake.calls == 4
        assert (told.mechanism, told.declined) == ("shutil.copyfile", {"CopyFile2": "WinError 80"})
        assert dst.read_bytes() == src.read_bytes()

    def test_same_file(self, src: Path, dst: Path) -> None:
        """The second look sees what the first could not: another name of src."""
        at = {"open": lambda: os.link(src, dst)}
        with faked(at=at) as fake, pytest.raises(shutil.SameFileError):
            speedcopy.copyfile(src, dst)
        assert fake.calls == 1
        assert src.stat().st_size == 256_000

    def test_hidden(self, src: Path, dst: Path, other: Path) -> None:
        """Their file keeps its attributes."""
        kernel32().SetFileAttributesW(str(other), HIDDEN)
        copy_to_the("success", src, dst, open=lambda: dst.exists() or other.rename(dst))
        assert dst.read_bytes() == src.read_bytes()
        assert kernel32().GetFileAttributesW(str(dst)) == HIDDEN | ARCHIVE


class TestReplaced:
    """Somebody moves dst away and puts a file of theirs there."""

    @pytest.mark.parametrize("end", ENDS)
    @pytest.mark.parametrize("dst", [None, 10, 999_999], indirect=True)
    def test_before_return(self, end: str, src: Path, dst: Path, other: Path) -> None:
        """Their file is neither removed nor truncated nor changed, however the copy ends."""

        def replace() -> None:
            if dst.exists():
                dst.rename(dst.with_name("moved"))
            other.rename(dst)

        copy_to_the(end, src, dst, **{"return": replace})
        assert_untouched(dst)

    @pytest.mark.parametrize("end", ["success", "cancelled", "disk full, left"])
    def test_before_open(self, end: str, src: Path, dst: Path, other: Path) -> None:
        """The file that we have looked at, and CopyFile2 has not written, is left alone."""
        other.rename(dst)
        kernel32().SetFileAttributesW(str(dst), HIDDEN)
        moved = dst.with_name("moved")

        def replace() -> None:
            dst.rename(moved)
            dst.write_bytes(b"n" * 999_999)

        copy_to_the(end, src, dst, open=replace)
        assert (moved.read_bytes(), moved.stat().st_mtime) == (THEIRS, 1e9)
        assert kernel32().GetFileAttributesW(str(moved)) & ~ARCHIVE == HIDDEN
        assert src.read_bytes().startswith(dst.read_bytes())
        assert kernel32().GetFileAttributesW(str(dst)) == ARCHIVE

    def test_moved_before_open(self, src: Path, dst: Path) -> None:
        """A new file whose creator is not certain is not removed."""
        dst.write_bytes(b"o" * 999_999)
        moved = dst.with_name("moved")
        fake = copy_to_the("cancelled", src, dst, open=lambda: dst.rename(moved))
        assert fake.action == STOP
        assert moved.read_bytes() == b"o" * 999_999
        assert src.read_bytes().startswith(dst.read_bytes())

    @pytest.mark.parametrize("moment", ["started", "return"])
    @pytest.mark.parametrize("end", ["cancelled at the end", "disk full, left"])
    def test_other_folder(
        self, end: str, moment: str, src: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The same name means another file when somebody has changed the current folder."""
        elsewhere = src.with_name("elsewhere")
        elsewhere.mkdir()
        (elsewhere / "dst").write_bytes(THEIRS)
        monkeypatch.chdir(src.parent)
        copy_to_the(end, Path("src"), Path("dst"), **{moment: lambda: os.chdir(elsewhere)})
        assert (elsewhere / "dst").read_bytes() == THEIRS
        assert not src.with_name("dst").exists()


class TestWithoutMessages:
    """CopyFile2 has sent no message: what it has done is not known."""

    @pytest.mark.parametrize("dst", [10, 999_999], indirect=True)
    @pytest.mark.parametrize("code", [DISK_FULL, of_win32(39)])
    def test_not_cut(self, code: int, src: Path, dst: Path) -> None:
        """A file that CopyFile2 has not opened is not truncated, and keeps its time."""
        old = dst.read_bytes()
        os.utime(dst, (1e9, 1e9))
        with faked(results=[code]), pytest.raises(OSError) as caught:  # noqa: PT011
            speedcopy.copyfile(src, dst)
        assert caught.value.winerror in (112, 39)  # type: ignore[attr-defined, unused-ignore]
        assert (dst.read_bytes(), dst.stat().st_mtime) == (old, 1e9)

    def test_failure(self, src: Path, dst: Path, other: Path) -> None:
        """A file that may be somebody else's is not removed."""
        at = {"return": lambda: other.rename(dst)}
        with faked(results=[DISK_FULL], at=at), pytest.raises(OSError, match="WinError 112"):
            speedcopy.copyfile(src, dst)
        assert_untouched(dst)

    @pytest.mark.parametrize("silent", [1, 2], ids=["no message", "no handle"])
    @pytest.mark.parametrize("dst", [None, 10, 999_999], indirect=True)
    @pytest.mark.parametrize("value", [0x20, READ_ONLY | HIDDEN])
    def test_success(self, value: int, silent: int, src: Path, dst: Path) -> None:
        """A file with the time of src is our copy."""
        os.utime(src, (1e9, 1e9))
        kernel32().SetFileAttributesW(str(src), value)
        with faked(silent=silent):
            told = speedcopy.transfer(src, dst)
        kernel32().SetFileAttributesW(str(src), 0x80)
        assert (told.mechanism, told.copied) == ("CopyFile2", 256_000)
        assert dst.read_bytes() == src.read_bytes()
        assert kernel32().GetFileAttributesW(str(dst)) == ARCHIVE
        assert dst.stat().st_mtime > 1e9

    @pytest.mark.parametrize("dst", [None, 10], indirect=True)
    @pytest.mark.parametrize("progress", [None, stop])
    def test_replaced(self, progress: Any, src: Path, dst: Path, other: Path) -> None:
        """A file with another time is not our copy."""

        def replace() -> None:
            dst.rename(dst.with_name("moved"))
            other.rename(dst)

        with faked(silent=1, at={"return": replace}):
            if progress:
                with pytest.raises(Stop):
                    speedcopy.copyfile(src, dst, progress=progress)
            else:
                speedcopy.copyfile(src, dst)
        assert_untouched(dst)

    @pytest.mark.parametrize("dst", [None, 10], indirect=True)
    def test_raises_at_the_end(self, src: Path, dst: Path) -> None:
        """A new file is removed."""
        old = dst.exists()
        with faked(silent=1), pytest.raises(Stop):
            speedcopy.copyfile(src, dst, progress=stop)
        assert dst.exists() == old


class TestInvalidArgument:
    """E_INVALIDARG once bytes have been moved is not about a flag."""

    @pytest.mark.parametrize("dst", [None, 999_999], indirect=True)
    def test_midway(self, src: Path, dst: Path) -> None:
        """The copy is left to the standard library, without another try."""
        with faked(fail_after=2, failure=INVALID_ARGUMENT) as fake:
            told = speedcopy.transfer(src, dst)
        assert (told.mechanism, told.declined) == ("shutil.copyfile", {"CopyFile2": "WinError 87"})
        assert dst.read_bytes() == src.read_bytes()
        assert all(flags & 0x8000 for flags in fake.flags[: fake.calls])

    @pytest.mark.parametrize("dst", [None, 999_999], indirect=True)
    def test_cancelled(self, src: Path, dst: Path) -> None:
        """Nothing is copied once more after a cancelled copy."""
        old = dst.exists()
        script: dict[str, Any] = {"chunk": 50_000, "pause": 60, "stopped": INVALID_ARGUMENT}
        with faked(**script) as fake, pytest.raises(Stop):
            speedcopy.copyfile(src, dst, progress=stop)
        assert all(flags & 0x8000 for flags in fake.flags[: fake.calls])
        assert dst.exists() == old
        if old:
            assert 0 < dst.stat().st_size < src.stat().st_size
            assert src.read_bytes().startswith(dst.read_bytes())


class TestKeptAttributes:
    """The attributes that a dst keeps."""

    def test_constants(self) -> None:
        """Read-only, hidden, system, temporary, not indexed, pinned, unpinned."""
        assert lib.SC_KEPT_ATTRIBUTES == 0x1 | 0x2 | 0x4 | 0x100 | 0x2000 | 0x80000 | 0x100000

    @pytest.mark.parametrize("value", [0x2, 0x4, 0x100, 0x2000, 0x80000, 0x100000], ids=hex)
    def test_kept(self, value: int, src: Path, dst: Path) -> None:
        """Each of them is kept, where this system can set it."""
        windows = kernel32()
        dst.write_bytes(b"old")
        windows.SetFileAttributesW(str(dst), value)
        if not windows.GetFileAttributesW(str(dst)) & value:
            pytest.skip(f"no file has attribute {value:#x} here")
        with faked():
            speedcopy.copyfile(src, dst)
        assert windows.GetFileAttributesW(str(dst)) == value | ARCHIVE
