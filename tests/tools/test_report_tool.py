"""tools/report.py: what a volunteer runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from support.python import ROOT, importing
from volunteer import checks, cli, far, local
from volunteer.checks import NotHere, Places, Wrong

from speedcopy._probe import places

if TYPE_CHECKING:
    from typing import Union

if not hasattr(signal, "SIGHUP"):
    pytest.skip("the report is of POSIX systems", allow_module_level=True)

TOOL = ROOT / "tools" / "report.py"
PATIENCE_SECONDS = 60

NAMES = (
    *("native", "new file", "dressed", "quarantine", "existing", "other volume"),
    *("compressed", "sparse", "cancelled", "ctrl c", "share", "server copy"),
)


def lines(capsys: pytest.CaptureFixture[str]) -> tuple[str, list[list[str]]]:
    """The line about the machine; of each case its name, how it ended, and the text."""
    first, *cases = capsys.readouterr().out.splitlines()
    return first, [case[3:].split(": ", 2) for case in cases]


def test_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve cases, none of them wrong, and nothing is left."""
    assert cli.main("", ["--target", str(folder), "--other", str(folder)]) == 0
    first, cases = lines(capsys)
    assert first.startswith("speedcopy ")
    assert tuple(name for name, *_ in cases) == NAMES
    assert {ended for _, ended, _ in cases} <= {"ok", "not here"}
    ended = {name: (how, text) for name, how, text in cases}
    for name in ("native", "new file", "dressed", "existing", "other volume", "sparse"):
        assert ended[name][0] == "ok"
    assert "--share" in ended["share"][1]
    assert os.listdir(folder) == []


def test_on_something_else_than_a_share(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no share is no place for the cases of one."""
    assert cli.main("", ["--target", str(folder), "--share", str(folder)]) == 0
    _, cases = lines(capsys)
    assert [ended for _, ended, _ in cases[-2:]] == ["not here", "not here"]
    assert "is no SMB" in cases[-1][2]
    assert os.listdir(folder) == []


def test_on_a_share(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a folder that counts as a share, both cases of one run here."""
    monkeypatch.setattr(far, "file_system", lambda _folder: "smbfs")
    monkeypatch.setattr(cli, "CASES", (far.share, far.server_copy))
    assert cli.main("", ["--target", str(folder), "--share", str(folder)]) == 0
    _, cases = lines(capsys)
    assert [ended for _, ended, _ in cases] == ["ok", "ok"]
    assert "read/write" in cases[0][2]
    assert os.listdir(folder) == []


def broken(places: Places) -> str:
    """Two files that differ."""
    checks.write(places.folder / "one", 10)
    checks.write(places.folder / "other", 10)
    checks.same_content(places.folder / "one", places.folder / "other")
    return "not reached"


def raising(_places: Places) -> str:
    """What nobody has thought of."""
    raise LookupError


def absent(_places: Places) -> str:
    """A program that nobody has."""
    return checks.run("speedcopy-has-no-such-program")


@pytest.mark.parametrize(
    ("case", "code", "text"),
    [
        (broken, 1, " 1 broken: WRONG: other has other content"),
        (raising, 1, " 1 raising: WRONG: LookupError: "),
        (absent, 0, " 1 absent: not here: no program speedcopy-has-no-such-program"),
    ],
)
def test_how_a_case_ends(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: Callable[[Places], str],
    code: int,
    text: str,
) -> None:
    """The report says it, and so does the exit code."""
    monkeypatch.setattr(cli, "CASES", (case,))
    assert cli.main("", ["--target", str(folder)]) == code
    assert text in capsys.readouterr().out
    assert os.listdir(folder) == []


def with_other_mode(places: Places) -> None:
    """A copy with a mode that shutil's has not."""
    (places.folder / "ours").chmod(0o700)


def with_attribute(places: Places) -> None:
    """A copy that has kept an attribute."""
    checks.set_attribute(places.folder / "ours", "kept", "1")


def with_old_time(places: Places) -> None:
    """A copy that has kept a time."""
    os.utime(places.folder / "ours", (1, 1))


@pytest.mark.parametrize("spoil", [with_other_mode, with_attribute, with_old_time])
def test_what_is_compared(folder: Path, spoil: Callable[[Places], None]) -> None:
    """What a plain copy must not have is noticed."""
    for name in ("ours", "theirs"):
        (folder / name).write_bytes(b"same")
    checks.compare(folder / "ours", folder / "theirs", "")
    try:
        spoil(Places(folder))
    except NotHere as reason:
        pytest.skip(str(reason))
    with pytest.raises(Wrong):
        checks.compare(folder / "ours", folder / "theirs", "")


def test_slow_to_stop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that does not stop in time is wrong."""
    monkeypatch.setattr(local, "PATIENCE", 0)
    with pytest.raises(Wrong, match="stopped"):
        local.cancelled(Places(folder))


def test_mount_of_a_mac(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the system's program says it, the longest name of a mount decides."""
    output = f"/dev/disk1 on / (apfs, local)\n//me@host/a b on {folder} (smbfs, nodev)\n"
    monkeypatch.setattr(places, "place", places.Place)
    monkeypatch.setattr(checks, "run", lambda *_: output)
    assert checks.file_system(folder) == "smbfs"
    assert checks.file_system(Path("/")) == "apfs"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_stopped(folder: Path, number: Union[signal.Signals, int]) -> None:
    """A signal ends it in any case, and nothing is left."""
    command = [sys.executable, str(TOOL), "--target", str(folder), "--other", str(folder)]
    started = subprocess.Popen(
        command, env=importing(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any(folder.rglob("src")) and time.monotonic() < deadline:
            time.sleep(0.01)
        started.send_signal(number)
        _, errors = started.communicate(timeout=PATIENCE_SECONDS)
    finally:
        started.kill()
    assert started.returncode == 128 + number
    assert "everything it made is removed" in errors
    assert os.listdir(folder) == []


def test_default_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a target, the system's folder for temporary files is used."""
    before = set(os.listdir(tempfile.gettempdir()))
    monkeypatch.setattr(cli, "CASES", (local.existing,))
    assert cli.main("", []) == 0
    assert "1 existing: ok: " in capsys.readouterr().out
    left = set(os.listdir(tempfile.gettempdir())) - before
    assert not [name for name in left if name.startswith(far.PREFIX)]
