"""Progress, Ctrl-C and threads, while CopyFile2 or the fallback copies."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from support.cancelling import Stop, stop
from windows.fake_copyfile2 import CANCEL, STOP, faked
from windows.system import IS_WINE

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path


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
        """A quick copy calls progress at the end only."""
        told: list[tuple[int, int]] = []
        with faked():
            speedcopy.copyfile(src, dst, progress=lambda *now: told.append(now))
        assert told == [(src.stat().st_size,) * 2]

    def test_slow_to_begin(self, src: Path, dst: Path) -> None:
        """No call before CopyFile2 reports the size: 0 of 0 would mean the end."""
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

    @pytest.mark.parametrize("dst", [None, 10, 999_999], indirect=True)
    @pytest.mark.parametrize("kind", [Stop, KeyboardInterrupt, SystemExit, OSError])
    def test_raises(self, kind: type[BaseException], src: Path, dst: Path) -> None:
        """The copy stops and raises the exception; no complete dst is left."""
        old = dst.exists()
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
        """An old dst of a cancelled copy is truncated and writable, though src is read-only."""
        dst.write_bytes(b"o" * 999_999)
        os.chmod(src, 0o444)

        with faked(chunk=10_000, pause=30), pytest.raises(Stop):
            speedcopy.copyfile(src, dst, progress=stop)
        os.chmod(src, 0o666)
        assert 0 < dst.stat().st_size < src.stat().st_size
        speedcopy.copyfile(src, dst)
        assert dst.read_bytes() == src.read_bytes()

    @pytest.mark.parametrize("dst", [None, 10], indirect=True)
    def test_raises_at_the_end(self, src: Path, dst: Path) -> None:
        """All is copied by then; a new dst is removed nevertheless."""
        old = dst.exists()
        os.chmod(src, 0o444)
        with faked(), pytest.raises(Stop):
            speedcopy.copyfile(src, dst, progress=stop)
        os.chmod(src, 0o666)
        assert (dst.exists() and dst.read_bytes() == src.read_bytes()) == old

    def test_not_called_again(self, src: Path, dst: Path) -> None:
        """A callback that has raised is not called again, though CopyFile2 sends more messages."""
        calls = []

        def progress(copied: int, _total: int) -> None:
            calls.append(copied)
            raise Stop

        with faked(chunk=1000, pause=2), pytest.raises(Stop):
            speedcopy.copyfile(src, dst, progress=progress)
        assert len(calls) == 1

    @pytest.mark.parametrize("over", [False, True])
    def test_signal(self, over: bool, src: Path, dst: Path) -> None:
        """Ctrl-C stops a copy without a callback."""
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
        """Other threads run between two messages."""
        steps = 0
        with faked(chunk=10_000, pause=10):
            thread = threading.Thread(target=speedcopy.copyfile, args=(src, dst))
            thread.start()
            while thread.is_alive():
                steps += 1
                time.sleep(0.001)
        assert steps > 20

    def test_threads(self, folder: Path) -> None:
        """Eight copies at once: each callback is called for its own copy, and stops that only."""
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
        """The fallback calls progress as well, and an exception stops it."""
        src = folder / "large"
        src.write_bytes(os.urandom(1 << 20) * 24)
        told: list[tuple[int, int]] = []
        speedcopy.transfer(src, dst, reflink="never", progress=lambda *now: told.append(now))
        assert told[-1] == (24 << 20, 24 << 20)
        assert dst.stat().st_size == 24 << 20
        dst.unlink()

        with pytest.raises(Stop):
            speedcopy.transfer(src, dst, reflink="never", progress=stop)
        assert not dst.exists()

    @pytest.mark.skipif(not IS_WINE, reason="only Wine's CopyFile2 never calls back")
    def test_wine(self, folder: Path, dst: Path) -> None:
        """Large files are not copied by Wine's CopyFile2, which cannot be stopped."""
        src = folder / "large"
        for size, mechanism in ((4 << 20, "CopyFile2"), ((4 << 20) + 1, "shutil.copyfile")):
            with open(src, "wb") as new:
                new.truncate(size)
            told = speedcopy.transfer(src, dst)
            assert (told.mechanism, told.copied, told.offloaded) == (mechanism, size, None)
