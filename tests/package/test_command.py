"""``speedcopy cp`` beside GNU cp: exit code, message, and what is there afterwards."""

from __future__ import annotations

import functools
import json
import os
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support import layout
from support.command import ENVIRONMENT, FILES, IN_PROCESS, OURS, TRY, entries, gnu, lay_out, run

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path


class Case(NamedTuple):
    """Arguments, and the message; a case without one succeeds.

    ``meant`` is why the outcome is not GNU cp's.
    """

    arguments: str
    message: str = ""
    meant: str = ""


CASES = (
    Case("", f"missing file operand\n{TRY}"),
    Case("a", f"missing destination file operand after 'a'\n{TRY}"),
    Case("a new"),
    Case("a b"),
    Case("-p a b"),
    Case("-p b new"),
    Case("b new"),
    Case("s new"),
    Case("-p s new"),
    Case("w new"),
    Case("empty new"),
    Case("a e"),
    Case("a e/"),
    Case("a b sub/x empty e"),
    Case("a -r b e"),
    Case("-- a new"),
    Case("a -- b new/", "target 'new/': No such file or directory"),
    Case("-- a -r e", "cannot stat '-r': No such file or directory"),
    Case("-r -- sub --debug"),
    Case("-- --help --", "cannot stat '--help': No such file or directory"),
    Case("l new"),
    Case("a ld"),
    Case("/dev/null a"),
    Case('"it\'s" e'),
    Case("missing b", "cannot stat 'missing': No such file or directory"),
    Case(
        'missing "no\'ne" e',
        "cannot stat 'missing': No such file or directory\n"
        'cp: cannot stat "no\'ne": No such file or directory',
    ),
    Case("$'x\\ny' e", "cannot stat 'x'$'\\n''y': No such file or directory"),
    Case("a missing sub/x e", "cannot stat 'missing': No such file or directory"),
    Case("'' b", "cannot stat '': No such file or directory"),
    Case("a ''", "cannot create regular file '': No such file or directory"),
    Case("a/x b", "cannot stat 'a/x': Not a directory"),
    Case("a a/x", "cannot stat 'a/x': Not a directory"),
    Case("a b missing", "target 'missing': No such file or directory"),
    Case("a b a", "target 'a': Not a directory"),
    Case("a missing/", "cannot create regular file 'missing/': Not a directory"),
    Case("a missing/x", "cannot create regular file 'missing/x': No such file or directory"),
    Case("a a", "'a' and 'a' are the same file"),
    Case("a ./a", "'a' and './a' are the same file"),
    Case("a l", "'a' and 'l' are the same file"),
    Case("a dl", "not writing through dangling symlink 'dl'"),
    Case("dl new", "cannot stat 'dl': No such file or directory"),
    Case("b d", "cannot overwrite directory 'd/b' with non-directory"),
    Case("sub/x y/x e", "will not overwrite just-created 'e/x' with 'y/x'"),
    Case("d e", "-r not specified; omitting directory 'd'"),
    Case("a d e", "-r not specified; omitting directory 'd'"),
    Case(". e", "-r not specified; omitting directory '.'"),
    Case("ld new", "-r not specified; omitting directory 'ld'"),
    Case("-r a new"),
    Case("-r a e"),
    Case("-r sub new"),
    Case("-R sub new/"),
    Case("--recursive sub e"),
    Case("-r sub/ y a e"),
    Case("-r y/. new"),
    Case("-r sub e/new"),
    Case("-r l new"),
    Case("-r l e"),
    Case("-r l dl"),
    Case("-r dl new"),
    Case("-r ld new"),
    Case("-r ld/ new"),
    Case("-r missing e", "cannot stat 'missing': No such file or directory"),
    Case("-r l a", "'l' and 'a' are the same file"),
    Case("-r sub new/x", "cannot create directory 'new/x': No such file or directory"),
    Case("-r d dl", "cannot overwrite non-directory 'dl' with directory 'd'"),
    Case("-r sub a", "cannot overwrite non-directory 'a' with directory 'sub'"),
    Case("-r sub .", "'sub' and './sub' are the same file"),
    Case("-r d d", "cannot copy a directory, 'd', into itself, 'd/d'", "nothing is copied first"),
    Case("-r d d/b", "cannot copy a directory, 'd', into itself, 'd/b/d'", "the same"),
    Case("-r . e", "cannot copy a directory, '.', into itself, 'e/.'", "the same"),
    Case("--reflink=never a new"),
    Case("--reflink=auto a new"),
    Case(
        "--reflink=bad a b",
        "invalid argument 'bad' for '--reflink'\nValid arguments are:\n"
        f"  - 'auto'\n  - 'always'\n  - 'never'\n{TRY}",
    ),
    Case("--nope a b", f"unrecognized option '--nope'\n{TRY}"),
    Case("-z a b", f"invalid option -- 'z'\n{TRY}"),
)


@pytest.mark.parametrize("case", CASES, ids=[case.arguments or "none" for case in CASES])
def test_as_gnu(case: Case, tmp_path: Path) -> None:
    """The exit code, the message and the outcome; where there is a GNU cp, all are its own."""
    arguments = shlex.split(case.arguments.replace("$'x\\ny'", "'x\ny'"))
    ours, theirs = lay_out(tmp_path / "ours"), lay_out(tmp_path / "theirs")
    told = run([*OURS, *arguments], ours)
    expected = f"cp: {case.message}" if case.message else ""
    assert told == (int(bool(case.message)), expected)
    if gnu():
        assert told == run(["cp", *arguments], theirs)
        if not case.meant:
            assert entries(ours) == entries(theirs)


@pytest.mark.parametrize("arguments", ["a a e", "a ./a e", "-r sub sub e", "-r y sub/../y e"])
def test_repeated(arguments: str, tmp_path: Path) -> None:
    """The same source twice is a warning."""
    ours, theirs = lay_out(tmp_path / "ours"), lay_out(tmp_path / "theirs")
    code, told = run([*OURS, *arguments.split()], ours)
    assert code == 0
    assert told.startswith("cp: warning: source ")
    assert told.endswith(" specified more than once")
    if gnu():
        assert (code, told) == run(["cp", *arguments.split()], theirs)
        assert entries(ours) == entries(theirs)


def test_tree_again(tmp_path: Path) -> None:
    """A tree over itself: files are new, links that exist are made again."""
    ours = lay_out(tmp_path / "ours")
    for _ in range(2):
        assert run([*OURS, "-r", "sub/.", "new"], ours) == (0, "")
        (ours / "sub/x").write_bytes(b"changed")
        os.unlink(ours / "sub/l")
        os.symlink("other", ours / "sub/l")
    assert (ours / "new/x").read_bytes() == b"changed"
    assert os.readlink(ours / "new/l") == "other"


def test_preserve(tmp_path: Path) -> None:
    """-p keeps times, of a file and in a tree; without it they are new."""
    ours = lay_out(tmp_path / "ours")
    for name in ("b", "sub/x", "sub"):
        os.utime(ours / name, (1_000_000_000, 1_000_000_007))
    assert run([*OURS, "b", "plain"], ours) == (0, "")
    assert run([*OURS, "-p", "b", "kept"], ours) == (0, "")
    assert run([*OURS, "-rp", "sub", "tree"], ours) == (0, "")
    kept = {name: (ours / name).stat().st_mtime for name in ("plain", "kept", "tree", "tree/x")}
    assert kept.pop("plain") > 1_600_000_000
    assert set(kept.values()) == {1_000_000_007.0}


def test_clone_or_nothing(tmp_path: Path) -> None:
    """--reflink=always clones, or says that it has not, and leaves no file."""
    ours = lay_out(tmp_path / "ours")
    code, told = run([*OURS, "--reflink=always", "a", "new"], ours)
    if code == 0:
        assert (ours / "new").read_bytes() == FILES["a"]
    else:
        assert told == "cp: failed to clone 'new' from 'a': Operation not supported"
        assert not (ours / "new").exists()


def test_special_file(tmp_path: Path) -> None:
    """A named pipe is not copied, alone or in a tree; the rest is."""
    ours = lay_out(tmp_path / "ours")
    layout.attempt("named pipes", lambda: os.mkfifo(ours / "sub/f\x1b"))
    message = "cp: 'sub/f'$'\\033' is a named pipe"
    assert run([*OURS, "sub/f\x1b", "new"], ours) == (1, message)
    assert run([*OURS, "-r", "sub", "new"], ours) == (1, message)
    assert sorted(os.listdir(ours / "new")) == [".h", "l", "x"]


def test_json(tmp_path: Path) -> None:
    """An object a line for each SRC, and messages beside it."""
    ours = lay_out(tmp_path / "ours", links=False)
    done = subprocess.run(
        [*OURS, "--json", "-r", "a", "missing", "sub", "e"],
        cwd=ours, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    inside = functools.partial(os.path.join, "e")
    file, missing, tree = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert done.stderr.startswith("speedcopy cp: cannot stat 'missing'")
    assert file["mechanism"] == speedcopy.transfer(ours / "a", ours / "e/a").mechanism
    assert (file["src"], file["dst"], file["files"], file["bytes"]) == ("a", inside("a"), 1, 2)
    assert missing["error"] == done.stderr.strip()[len("speedcopy cp: ") :]
    assert (tree["dst"], tree["error"], tree["bytes"]) == (inside("sub"), None, 2)


def test_debug(tmp_path: Path) -> None:
    """--debug has a line for each file with the mechanism."""
    ours = lay_out(tmp_path / "ours")
    code, told = run([*OURS, "--debug", "-r", "a", "y", "e"], ours)
    assert code == 0
    assert [line.split(":")[1] for line in told.splitlines()] == [
        " 'a' -> 'e/a'",
        " 'y/x' -> 'e/y/x'",
    ]


@pytest.mark.parametrize(
    "name", [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
)
def test_stopped(name: str, tmp_path: Path) -> None:
    """The exit code of a shell, no traceback, and nothing half-made is left."""
    number = getattr(signal, name)
    ours = lay_out(tmp_path / "ours", links=False)
    code = (
        f"{IN_PROCESS}"
        "def stopped(**given):\n"
        f"    given['progress'] = lambda *_: signal.raise_signal({int(number)})\n"
        "    return options(**given)\n"
        "cp.Options = stopped\n"
        "sys.exit(main(['cp', 'a', 'b', 'e']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ours, env=ENVIRONMENT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")
    assert os.listdir(ours / "e") == []


USAGES: dict[str, tuple[list[str], int, str]] = {
    "nothing": ([], 1, "usage: speedcopy cp"),
    "unknown": (["move"], 1, "usage: speedcopy cp"),
    "help": (["--help"], 0, "usage: speedcopy cp"),
    "help of cp": (["cp", "--help"], 0, "usage: speedcopy cp"),
    "version": (["--version"], 0, f"speedcopy {speedcopy.__version__}"),
    "workers": (["cp", "--workers", "0", "a", "b"], 1, "speedcopy cp: invalid argument '0' for"),
    "no workers": (["cp", "a", "b", "--workers"], 1, "speedcopy cp: option '--workers' requires"),
    "probe nothing": (["probe"], 1, "speedcopy probe: missing directory operand"),
    "probe three": (["probe", "a", "b", "c"], 1, "speedcopy probe: extra operand 'c'"),
    "probe a file": (["probe", "a"], 1, "speedcopy probe: cannot use 'a': "),
    "probe missing": (["probe", "no"], 1, "speedcopy probe: cannot use 'no': "),
    "bench missing": (["bench", "no"], 1, "speedcopy bench: cannot use 'no': "),
    "bench sizes": (["bench", "--sizes", "1X"], 1, "speedcopy bench: invalid argument '1X' for"),
}


@pytest.mark.parametrize(("arguments", "code", "start"), USAGES.values(), ids=USAGES)
def test_usage(arguments: list[str], code: int, start: str, tmp_path: Path) -> None:
    """Help is printed on stdout, errors on stderr; no traceback."""
    done: Any = subprocess.run(
        [*OURS[:-1], *arguments], cwd=lay_out(tmp_path / "ours", links=False), env=ENVIRONMENT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told, other = (done.stderr, done.stdout) if code else (done.stdout, done.stderr)
    assert (done.returncode, told[: len(start)]) == (code, start)
    assert "Traceback" not in told + other


def test_bench(tmp_path: Path) -> None:
    """A line for each size, with --json as an object; nothing is left."""
    command = [*OURS[:-1], "bench", str(tmp_path), "--sizes", "1000,64K", "--repeats", "2"]
    told = subprocess.run([*command, "--json"], env=ENVIRONMENT, capture_output=True, check=True)
    figures = [json.loads(line) for line in told.stdout.splitlines()]
    assert [row["size"] for row in figures] == [1000, 65536]
    assert all(row["ratio"] == row["shutil"] / row["speedcopy"] > 0 for row in figures)
    lines = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True, text=True)
    assert [line.split()[0] for line in lines.stdout.splitlines()[1:]] == ["1e+03", "64"]
    assert os.listdir(tmp_path) == []
