"""Reports of a copy: Transfer and SPEEDCOPY_DEBUG; and the switch SPEEDCOPY_DISABLE."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from faults.mechanisms import SHARING
from support.layout import pattern

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path

    from speedcopy._types import Reflink


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The records of the logger speedcopy."""
    return [told.getMessage() for told in caplog.records if told.name == "speedcopy"]


def run(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a folder, by a process that has configured nothing."""
    mine = {name: value for name, value in os.environ.items() if "SPEEDCOPY" not in name}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**mine, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.fixture
def src(folder: Path) -> Path:
    """A file of a few bytes."""
    path = folder / "src"
    path.write_bytes(pattern(5000))
    return path


def test_transfer(src: Path) -> None:
    """A Transfer has the mechanism, the bytes, the time, and which mechanisms declined."""
    told = speedcopy.transfer(src, src.with_name("dst"))
    assert told.copied == 5000
    assert 0 < told.seconds < 30
    assert told.mechanism not in told.declined
    assert all(why and type(why) is str for why in told.declined.values())
    assert src.with_name("dst").read_bytes() == pattern(5000)


def test_declined_in_order(src: Path) -> None:
    """Mechanisms that declined are in the order tried; the one that copied was tried last."""
    boundary = pytest.importorskip("speedcopy._boundary")
    told = speedcopy.transfer(src, src.with_name("dst"))
    tried = [*told.declined, told.mechanism]
    assert tried == sorted(tried, key=boundary.MECHANISMS.index)


def test_link_not_followed(src: Path) -> None:
    """The fallback copies a link as a link, which is 0 bytes."""
    link = src.with_name("link")
    try:
        link.symlink_to("src")
    except OSError as error:
        pytest.skip(f"no symbolic links here: {error}")
    if not link.is_symlink():
        pytest.skip("no symbolic links here, though Wine says it has made one")
    told = speedcopy.transfer(link, src.with_name("dst"), follow_symlinks=False)
    assert (told.mechanism, told.copied, told.declined) == ("shutil.copyfile", 0, {})


@pytest.mark.parametrize("reflink", ["", "Always", None, True])
def test_wrong_reflink(reflink: Any, src: Path) -> None:
    """Another word for reflink is refused before anything is done."""
    with pytest.raises(ValueError, match="reflink must be"):
        speedcopy.transfer(src, src.with_name("dst"), reflink=reflink)
    assert not src.with_name("dst").exists()


def test_contradiction(src: Path) -> None:
    """A clone has the holes of src: without holes there is none, and nothing is touched."""
    with pytest.raises(ValueError, match="contradict"):
        speedcopy.transfer("missing", src, reflink="always", sparse=False)
    assert src.read_bytes() == pattern(5000)


def test_default_gives_way(src: Path) -> None:
    """SPEEDCOPY_SPARSE=0 does not change ``reflink="always"``: a clone is made or refused."""
    code = (
        "import speedcopy\n"
        "try:\n    print(speedcopy.transfer('src', 'dst', reflink='always').mechanism)\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    with_holes = run(code, src.parent).stdout
    src.with_name("dst").unlink(missing_ok=True)
    assert run(code, src.parent, SPEEDCOPY_SPARSE="0").stdout == with_holes


@pytest.mark.parametrize("variables", [{"reflink": "never"}, {"sparse": False}])
def test_disabled_and_nothing_shared(
    variables: Any, src: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the native layer, too, no call is made that may clone or leave holes."""
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DISABLE", True)
    monkeypatch.setattr("speedcopy._fallback.stdlib_copyfile", None)
    told = speedcopy.transfer(src, src.with_name("dst"), **variables)
    assert (told.mechanism, told.copied) == ("read/write", 5000)
    assert src.with_name("dst").read_bytes() == pattern(5000)


@pytest.mark.parametrize("reflink", ["auto", "never"])
@pytest.mark.parametrize("sparse", [True, False])
def test_options(reflink: Reflink, sparse: bool, src: Path) -> None:
    """The options choose the way, not the result."""
    told = speedcopy.transfer(src, src.with_name("dst"), reflink=reflink, sparse=sparse)
    assert src.with_name("dst").read_bytes() == pattern(5000)
    assert reflink == "auto" or told.mechanism not in SHARING


@pytest.mark.parametrize("call", ["copyfile", "transfer", "patched"])
def test_debug(
    call: str, src: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """SPEEDCOPY_DEBUG takes effect at the next copy: one line with names, mechanism and bytes."""
    dst = src.with_name("dst")
    with speedcopy.patched_copyfile():
        copy = shutil.copyfile if call == "patched" else getattr(speedcopy, call)
        copy(src, dst)
        assert not lines(caplog)
        monkeypatch.setattr(speedcopy, "SPEEDCOPY_DEBUG", True)
        copy(src, dst)
        (line,) = lines(caplog)
        monkeypatch.setattr(speedcopy, "SPEEDCOPY_DEBUG", False)
        copy(src, dst)
    assert len(lines(caplog)) == 1
    assert repr(src) in line
    assert repr(dst) in line
    assert "5000 bytes" in line
    assert speedcopy.transfer(src, dst).mechanism in line


@pytest.mark.parametrize("call", ["copyfile", "transfer"])
def test_debug_failure(
    call: str, src: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A copy that fails is one line as well, and the error is raised."""
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DEBUG", True)
    with pytest.raises(FileNotFoundError):
        getattr(speedcopy, call)("missing", src.with_name("dst"))
    (line,) = lines(caplog)
    assert "'missing'" in line
    assert "FileNotFoundError" in line


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG, logging.CRITICAL])
def test_debug_level(
    level: int, src: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The lines are logged at level DEBUG, whatever the level of the logger."""
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DEBUG", True)
    logger = logging.getLogger("speedcopy")
    before = logger.level
    logger.setLevel(level)
    try:
        speedcopy.copyfile(src, src.with_name("dst"))
    finally:
        logger.setLevel(before)
    assert [told.levelno for told in caplog.records] == [logging.DEBUG]


COPY = "import speedcopy; speedcopy.copyfile('src', 'dst'); speedcopy.transfer('src', 'dst')"


def test_debug_stderr(src: Path) -> None:
    """Lines go to stderr when nobody has configured logging."""
    told = run(COPY, src.parent, SPEEDCOPY_DEBUG="1").stderr.splitlines()
    assert len(told) == 2
    assert all(line.startswith("speedcopy: 'src' -> 'dst': ") for line in told)


def test_debug_logging(src: Path) -> None:
    """Lines go through logging, once, when it has been configured."""
    setup = "import logging; logging.basicConfig(format='mine %(levelname)s %(message)s')"
    told = run(f"{setup}; {COPY}", src.parent, SPEEDCOPY_DEBUG="1").stderr.splitlines()
    assert len(told) == 2
    assert all(line.startswith("mine DEBUG 'src' -> 'dst': ") for line in told)


@pytest.mark.parametrize("value", ["", "0", "no", "off", "False", " 0 "])
def test_debug_off(value: str, src: Path) -> None:
    """An environment variable with a value for no is off."""
    code = "import speedcopy; print(speedcopy.SPEEDCOPY_DEBUG, speedcopy.SPEEDCOPY_DISABLE)"
    told = run(f"{COPY}; {code}", src.parent, SPEEDCOPY_DEBUG=value, SPEEDCOPY_DISABLE=value)
    assert (told.stdout.strip(), told.stderr) == ("False False", "")


def test_disable(src: Path) -> None:
    """SPEEDCOPY_DISABLE in the environment leaves every copy to the standard library."""
    code = "import speedcopy; print(speedcopy.transfer('src', 'dst').mechanism)"
    assert run(code, src.parent, SPEEDCOPY_DISABLE="1").stdout.strip() == "shutil.copyfile"
    assert src.with_name("dst").read_bytes() == pattern(5000)


def test_disable_at_run_time(src: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be set later as well, and a clone is then never possible."""
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DISABLE", True)
    dst = src.with_name("dst")
    assert speedcopy.transfer(src, dst).mechanism == "shutil.copyfile"
    with pytest.raises(OSError, match=r"src.*dst") as refused:
        speedcopy.transfer(src, dst, reflink="always")
    assert refused.value.errno == errno.EOPNOTSUPP
    assert dst.read_bytes() == pattern(5000)
