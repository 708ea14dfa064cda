"""The table of the contract: trees, and what copytree is asked for."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.layout import (
    Step,
    attempt,
    directory,
    fifo,
    file,
    hardlink,
    open_to_all,
    symlink,
    unix_socket,
)
from support.process_limits import umask, unprivileged
from trees.tree_outcome import Difference, TreeCase, TreeOutcome

from speedcopy._copyfile import Options
from speedcopy._engine import has_native

if TYPE_CHECKING:
    from contextlib import ExitStack


def mode(name: str, bits: int) -> Step:
    """The mode of what is there. Directories can be removed again afterwards."""

    def step(stack: ExitStack) -> None:
        attempt("modes", lambda: os.chmod(name, bits))
        if stat.S_ISDIR(os.stat(name).st_mode):
            stack.callback(_open_again, name)

    return step


def _open_again(name: str) -> None:
    for path in (name, name.replace("src", "dst", 1)):
        if os.path.isdir(path):
            os.chmod(path, 0o777)


def xattr(name: str, key: str = "user.color", value: bytes = b"blue") -> Step:
    """An extended attribute."""

    def put() -> None:
        os.setxattr(name, key, value)

    return lambda _: attempt("extended attributes", put)


def device(name: str, minor: int) -> Step:
    """A character device of memory: 3 is null, 5 is zero."""

    def make() -> None:
        os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        with open(name, "rb"):
            pass

    return lambda _: attempt("devices", make)


def undecodable(name: str) -> Step:
    """A directory with a file of the same name, which is not UTF-8."""

    def make() -> None:
        os.mkdir(name)
        with open(os.path.join(name, os.path.basename(name)), "wb") as new:
            new.write(b"data")
        os.stat(os.path.join("src", os.listdir("src")[0]))

    return lambda _: attempt("undecodable names", make)


TREE = (
    directory("src"),
    *(directory(f"src/{name}") for name in ("empty", "sub", "sub/sub", "other")),
    *(file(f"src/{name}", size) for name, size in [("a", 0), ("b", 9), ("c", 70_001)]),
    *(file(f"src/sub/{name}") for name in ("d", "e", "sub/f")),
    *(file(f"src/other/{number}") for number in range(9)),
)

LINKS = (
    *TREE,
    symlink("src/link", "b"),
    symlink("src/sub/up", "../b"),
    symlink("src/sub/down", "sub/f"),
    symlink("src/dirlink", "other", to_directory=True),
)

DANGLING = (*TREE, symlink("src/lost", "nowhere"), symlink("src/sub/lost", "/nowhere/at/all"))

FOUND_HERE = (*TREE, file("here"), symlink("src/lost", "here"))

EXISTING = (
    *TREE,
    directory("dst"),
    directory("dst/sub"),
    file("dst/b", 100_000, 0o600),
    file("dst/kept"),
    file("dst/sub/d", 3),
)

SECRETS = (
    open_to_all,
    *TREE,
    mode("src/b", 0),
    mode("src/sub/e", 0),
    file("src/other/last", mode=0),
    mode("src/sub/sub", 0),
)


def ignore_some(path: Any, names: list[Any]) -> Any:
    """Leaves out what is called b, d or empty."""
    assert isinstance(path, (str, bytes))
    return [name for name in names if os.fsdecode(name) in ("b", "d", "empty")]


def ignore_refuses(path: Any, _names: list[Any]) -> Any:
    """Raises OSError in one directory."""
    if os.path.basename(path) == "sub":
        raise OSError(5, "no names for you", path)
    return ()


def ignore_changes(_path: Any, names: list[Any]) -> Any:
    """Empties the list that it is given."""
    names.clear()
    return {"b"}


# Differences from shutil.copytree that are meant.


def _all_refused(laid_out: TreeOutcome) -> TreeOutcome:
    """Nothing is changed, and each file is an error."""
    directories = ["src", *(name for name in laid_out.listed if os.path.basename(name) in FOLDERS)]
    files = [name for name in laid_out.listed if name not in directories]
    events = [("shutil.copyfile", name) for name in files]
    events += [
        (f"shutil.{what}", name) for what in ("copytree", "copystat") for name in directories
    ]
    slashes = [(event, name.replace(os.sep, "/")) for event, name in events]
    return replace(
        laid_out,
        returned="",
        failure=(shutil.Error,),
        errors=tuple((name, name, f"{name!r} and {name!r} are the same file") for name in files),
        audited=tuple(sorted((event, name, name) for event, name in slashes)),
    )


FOLDERS = ("empty", "sub", "other")

#: shutil puts the characters of the message into its list one by one. On Windows it finds no inode
#: in a DirEntry, and empties the files.
SAME_FILE = Difference("the same file is one error", _all_refused, runs_shutil=False)


def _without_zero(theirs: TreeOutcome) -> TreeOutcome:
    """The tree is copied, and the endless device is an error."""
    names = [name for name in theirs.listed if name != "src/zero"]
    tree = dict(theirs.tree)
    for name in ("src", *names):
        tree["./" + name.replace("src", "dst", 1)] = tree["./" + name]
    directories = ("src", *(name for name in names if tree["./" + name].mode.startswith("d")))
    events = [("shutil.copytree", name) for name in directories]
    events += [("shutil.copystat", name) for name in ("src", *names)]
    events += [("shutil.copyfile", name) for name in theirs.listed if name not in directories]
    audited = sorted((event, name, name.replace("src", "dst", 1)) for event, name in events)
    error = "src/zero", "dst/zero", "`src/zero` is a character device"
    return replace(
        theirs,
        returned="",
        failure=(shutil.Error,),
        errors=(error,),
        tree=tree,
        audited=tuple(audited),
    )


ENDLESS = Difference("an endless device is refused", _without_zero, runs_shutil=False)


def _text_of_mixing(theirs: TreeOutcome) -> TreeOutcome:
    mixed: Any = ("", b"")
    try:
        mixed[0] + mixed[1]
    except TypeError as error:
        return replace(theirs, failure=(TypeError, str(error)))
    raise AssertionError


def _tried(theirs: TreeOutcome) -> TreeOutcome:
    inside = [event for event in theirs.audited if event[2].count("/") > event[1].count("/")]
    first = [(*event[:2], os.path.dirname(event[2])) for event in inside]
    if not has_native(Options(metadata="strict")):  # the standard library has not come to metadata
        first = [event for event in first if event[0] == "shutil.copyfile"]
    return replace(theirs, audited=tuple(sorted((*theirs.audited, *first))))


TRIED = Difference("that a directory is in the place of a file is seen by trying", _tried)


def _ignored(theirs: TreeOutcome) -> TreeOutcome:
    lost = "shutil.copyfile", "src/sub/lost", "dst/sub/lost"
    audited = tuple(event for event in theirs.audited if event != lost)
    return replace(theirs, returned="dst", failure=(), errors=(), audited=audited)


IGNORED_BELOW = Difference(
    "dangling links are ignored in the directories below, too: Python 3.9 forgets that", _ignored
)

MIXED = Difference("str and bytes are mixed with other words", _text_of_mixing)


CASES = [
    TreeCase("plain", TREE),
    TreeCase("empty", (directory("src"),)),
    TreeCase("Path", TREE, Path("src"), Path("dst")),
    TreeCase("bytes", TREE, b"src", b"dst"),
    TreeCase("bytes and ignore", TREE, b"src", b"dst", {"ignore": ignore_some}),
    TreeCase("bytes to str", TREE, b"src", "dst", difference=MIXED),
    TreeCase("separators at the end", TREE, "src/", "dst/"),
    TreeCase("dots", TREE, "./src/../src", "./dst"),
    TreeCase("missing parents", TREE, dst="new/er/dst"),
    TreeCase("missing src", ()),
    TreeCase("src is a file", (file("src"),)),
    TreeCase("src is a link", (*TREE, symlink("link", "src", to_directory=True)), "link"),
    TreeCase("undecodable", (directory("src"), undecodable("src/\udcff"), file("src/a"))),
    TreeCase("no name for dst", TREE, dst=""),
    # dst exists
    TreeCase("existing dst", EXISTING),
    TreeCase("existing dst, ignore", EXISTING, options={"ignore": ignore_some}),
    TreeCase("dst is a file", (*TREE, file("dst"))),
    TreeCase("dst is a file, ok", (*TREE, file("dst")), options={"dirs_exist_ok": True}),
    TreeCase("dst is a dangling link", (*TREE, symlink("dst", "nowhere"))),
    TreeCase(
        "dst is a link",
        (*TREE, directory("real"), symlink("dst", "real", to_directory=True)),
        options={"dirs_exist_ok": True},
    ),
    TreeCase("existing ok", EXISTING, options={"dirs_exist_ok": True}),
    TreeCase("new ok", TREE, options={"dirs_exist_ok": True}),
    TreeCase(
        "a directory for a file",
        (*TREE, directory("dst"), directory("dst/b"), directory("dst/a"), file("dst/a/a", 5)),
        options={"dirs_exist_ok": True},
        difference=TRIED,
    ),
    TreeCase(
        "a link to a directory for a file",
        (*TREE, directory("dst"), directory("d"), symlink("dst/b", "../d", to_directory=True)),
        options={"dirs_exist_ok": True},
        difference=TRIED,
    ),
    TreeCase(
        "a file for a directory",
        (*TREE, directory("dst"), file("dst/sub")),
        options={"dirs_exist_ok": True},
    ),
    TreeCase(
        "links exist",
        (*LINKS, directory("dst"), symlink("dst/link", "b"), directory("dst/sub")),
        options={"dirs_exist_ok": True, "symlinks": True},
    ),
    TreeCase("onto itself", TREE, dst="src", options={"dirs_exist_ok": True}, difference=SAME_FILE),
    # links
    TreeCase("links", LINKS),
    TreeCase("links as links", LINKS, options={"symlinks": True}),
    TreeCase("links and ignore", LINKS, options={"ignore": ignore_some}),
    TreeCase("dangling", DANGLING),
    TreeCase("dangling as links", DANGLING, options={"symlinks": True}),
    TreeCase(
        "dangling ignored",
        DANGLING,
        options={"ignore_dangling_symlinks": True},
        difference=IGNORED_BELOW,
    ),
    TreeCase("dangling but here", FOUND_HERE, options={"ignore_dangling_symlinks": True}),
    TreeCase(
        "loop", (*TREE, symlink("src/me", "me"), symlink("src/x", "y"), symlink("src/y", "x"))
    ),
    TreeCase("loop as links", (*TREE, symlink("src/me", "me")), options={"symlinks": True}),
    TreeCase("loop of directories", (directory("src"), file("src/a"), symlink("src/me", "."))),
    TreeCase("hard links", (*TREE, hardlink("src/hard", "src/b"))),
    # metadata
    TreeCase("modes", (*TREE, mode("src/b", 0o4755), mode("src/c", 0o400), mode("src/a", 0o222))),
    TreeCase("readable only", (*TREE, mode("src/sub", 0o555), mode("src/sub/sub", 0o500))),
    TreeCase(
        "readable only, as a user",
        (open_to_all, *TREE, mode("src/sub", 0o555), mode("src", 0o555)),
        around=unprivileged,
    ),
    TreeCase("umask", TREE, around=lambda: umask(0o077)),
    TreeCase("attributes", (*TREE, *map(xattr, ["src/b", "src/sub", "src/sub/sub/f", "src"]))),
    TreeCase("copy", (*TREE, xattr("src/b")), options={"copy_function": shutil.copy}),
    TreeCase(
        "copy, links as links", LINKS, options={"copy_function": shutil.copy, "symlinks": True}
    ),
    # what cannot be copied
    TreeCase("named pipe", (*TREE, fifo("src/pipe"), fifo("src/sub/pipe"))),
    TreeCase("socket", (*TREE, unix_socket("src/socket"))),
    TreeCase("null device", (*TREE, device("src/null", 3))),
    TreeCase("endless device", (*TREE, device("src/zero", 5)), difference=ENDLESS),
    TreeCase("unreadable", SECRETS, around=unprivileged),
    TreeCase("unreadable and ignore", SECRETS, "src", "dst", {"ignore": ignore_some}, unprivileged),
    TreeCase("unreadable src", (open_to_all, *TREE, mode("src", 0o300)), around=unprivileged),
    TreeCase(
        "no write permission", (*TREE, directory("dir", 0o555)), dst="dir/dst", around=unprivileged
    ),
    # ignore
    TreeCase("ignore", TREE, options={"ignore": ignore_some}),
    TreeCase("ignore patterns", TREE, options={"ignore": shutil.ignore_patterns("[ad]", "s*")}),
    TreeCase("ignore refuses", TREE, options={"ignore": ignore_refuses}),
    TreeCase("ignore changes", TREE, options={"ignore": ignore_changes}),
    # dst in src
    TreeCase("into src", TREE, dst="src/dst"),
]
