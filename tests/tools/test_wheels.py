"""The wheels: their table, the page that shows it, and the sdist."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from cross import cli, sdist
from cross.targets import RUNS, TARGETS, WHEELS, Target

from speedcopy._loader import SUPPORTED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "wheels.md"

each_wheel = pytest.mark.parametrize("target", WHEELS, ids=lambda target: target.name)

#: Processors whose Debian is run: all but those of macOS and Windows.
DEBIAN = {"amd64", "arm64", "armhf", "i386", "ppc64el", "riscv64", "s390x"}


@each_wheel
def test_row(target: Target) -> None:
    """Each field has a known value."""
    assert target.platform in SUPPORTED
    assert target.run in RUNS
    assert target.debian in (DEBIAN if target.platform == "linux" else {""})


def test_rows_differ() -> None:
    """No two have one name, and no two wheels one file name."""
    assert len({target.name for target in TARGETS}) == len(TARGETS)
    assert len({target.tag for target in WHEELS}) == len(WHEELS)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("cp39-abi3-manylinux_2_17_s390x", "_native.abi3.so"),
        ("cp39-abi3-musllinux_1_2_aarch64", "_native.abi3.so"),
        ("cp39-abi3-macosx_11_0_arm64", "_native.abi3.so"),
        ("cp315-abi3.abi3t-manylinux_2_17_x86_64", "_native.abi3t.so"),
        ("pp311-pypy311_pp73-manylinux_2_17_x86_64", "_native.pypy311-pp73-x86_64-linux-gnu.so"),
        ("cp39-abi3-win32", "_native.pyd"),
    ],
)
def test_name_of_the_extension(tag: str, name: str) -> None:
    """It is one that every Python of the tag looks for."""
    assert Target("", "", "x86_64-linux-gnu.2.28", tag).extension == name


@each_wheel
def test_page_has_the_wheel(target: Target) -> None:
    """The page shows the table as it is."""
    row = f"| `{target.name}` | `{target.tag}` | {RUNS[target.run]} |"
    assert row in PAGE.read_text(encoding="utf-8").splitlines()


def test_page_has_no_other_wheel() -> None:
    """It shows no wheel that is not built."""
    rows = PAGE.read_text(encoding="utf-8").split("\n| name |")[1].split("\n\n")[0].splitlines()
    assert len(rows) == len(WHEELS) + 2


def archive(names: list[str], mtime: int, owner: str, mode: int) -> bytes:
    """An archive of files, in this order."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name in names:
            member = tarfile.TarInfo(name)
            member.mtime, member.uname, member.mode, member.size = mtime, owner, mode, len(name)
            made.addfile(member, io.BytesIO(name.encode()))
    return packed.getvalue()


def test_sdists_are_the_same() -> None:
    """Order, times, owners and modes of the files do not matter; their content does."""
    first = sdist.repacked(archive(["a", "b"], 1, "me", 0o664), 100)
    assert sdist.repacked(archive(["b", "a"], 2, "you", 0o600), 100) == first
    assert sdist.repacked(archive(["a", "c"], 1, "me", 0o664), 100) != first
    with tarfile.open(fileobj=io.BytesIO(first)) as packed:
        assert {(each.mtime, each.uname, each.mode) for each in packed} == {(100, "", 0o644)}
        assert [packed.extractfile(each).read() for each in packed] == [b"a", b"b"]  # type: ignore[union-attr]


def test_missing_tools(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the extras, the tool says in one line what to install."""
    monkeypatch.setattr(cli, "NEEDED", ("abi3audit_that_is_not_here",))
    assert cli.main("usage", ["wheels"]) == 2
    assert capsys.readouterr().err == (
        "cross: missing: abi3audit_that_is_not_here; run: pip install '.[test,machines]'\n"
    )
