"""The part of the contract that only Windows has: its names, attributes, devices and locks."""

from __future__ import annotations

import dataclasses
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest
from contract.outcome import Case, Late, Outcome, Promise
from support.layout import attempt, directory, file, hardlink, other_case
from windows.system import ARCHIVE, HIDDEN, PREFIX, READ_ONLY, SHARE, SYSTEM, kernel32, opened

if TYPE_CHECKING:
    from contextlib import ExitStack

    from support.layout import Step


def attributes(name: str, value: int) -> Step:
    """A file with these attributes, until the end."""

    def step(_: ExitStack) -> None:
        assert kernel32().SetFileAttributesW(name, value)

    return step


def absent(path: str) -> Step:
    """Skips the test if there is something of this name."""

    def look() -> None:
        if os.path.exists(path):
            raise FileExistsError(path)

    return lambda _: attempt(f"free name {path}", look)


def here(name: str, prefix: str = "") -> Late:
    """The full name of a file in the folder, behind a prefix."""
    return Late(lambda: prefix + os.path.join(os.getcwd(), name))


def slashes(name: str) -> Late:
    """The full name of a file in the folder, with slashes."""
    return Late(lambda: os.path.join(os.getcwd(), name).replace("\\", "/"))


def without_drive(name: str) -> Late:
    """The full name of a file in the folder, from the root of the current drive."""
    return Late(lambda: os.path.splitdrive(os.path.join(os.getcwd(), name))[1])


def on_drive(name: str) -> Late:
    """The name of a file in the current folder of its drive."""
    return Late(lambda: os.path.splitdrive(os.getcwd())[0] + name)


def long_folder(_: ExitStack) -> None:
    """Makes a folder ``long`` whose full name is longer than 260 characters."""
    path = PREFIX + os.path.join(os.getcwd(), "long", *["x" * 50] * 6)
    attempt("long names", lambda: os.makedirs(path))
    with open(os.path.join(path, "src"), "wb") as new:
        new.write(b"long")


LONG = os.path.join("long", *["x" * 50] * 6)


def on_share(stack: ExitStack) -> None:
    """A file on the share."""
    if not SHARE:
        pytest.skip("no share here: SPEEDCOPY_LAB_UNC names none")
    with open(SHARE + r"\src", "wb") as new:
        new.write(b"shared")
    for name in ("src", "dst"):
        stack.callback(Path(SHARE, name).unlink, missing_ok=True)


def both_names(src: str, dst: str, *, gone: bool = False) -> Promise:
    """The error has both names where shutil's has none; an empty file (``gone``) is removed."""

    def of(theirs: Outcome) -> Outcome:
        failure = theirs.failure
        assert failure
        text = f"[Errno {failure.errno}] {failure.strerror}: {src!r} -> {dst!r}"
        failure = dataclasses.replace(failure, text=text, filename=src, filename2=dst)
        tree = {name: entry for name, entry in theirs.tree.items() if not gone or "dst" not in name}
        return dataclasses.replace(theirs, failure=failure, tree=tree)

    return Promise("shutil does not tell a name while it reads or writes", of)


def attribute_cases() -> list[Case]:
    """Only data is copied: dst gets neither the attributes of src nor its time."""
    cases = [
        Case(f"attributes of {name} {value:#x}, {state}", (*steps, attributes(name, value)))
        for value in (READ_ONLY, HIDDEN, SYSTEM, HIDDEN | SYSTEM, ARCHIVE, 0x80)
        for name, state, steps in (
            ("src", "new", (file("src"),)),
            ("src", "over", (file("src"), file("dst", 5000))),
            ("dst", "over", (file("src"), file("dst", 5000))),
        )
    ]
    read_only = attributes("sub", READ_ONLY)
    cases.append(
        Case("into a read-only folder", (file("src"), directory("sub"), read_only), dst="sub/dst")
    )
    return cases


def name_cases() -> list[Case]:
    """Names that only Windows refuses, shortens or takes for a device."""
    one = (file("src"),)
    bad = [f"a{letter}" for letter in '<>|?*"\1']
    bad += ["a:b:c", "q:x", "d...", "d ", "d.", "...", "\1"]
    cases = [Case(f"to {name!r}", one, dst=name) for name in bad]
    cases += [Case(f"from {name!r}", one, src=name) for name in (*bad, "src.", "src ", "src:x")]
    cases += [Case(f"same as {name!r}", one, dst=name) for name in ("src.", "src ", ".\\src")]
    cases += [
        Case("same by case", (file("src"), other_case("src")), dst="SRC"),
        Case("same by case and link", (file("src"), hardlink("dst", "src")), dst="DST"),
        Case("same by slashes", one, dst=slashes("src")),
        Case("same by prefix", one, dst=here("src", PREFIX)),
        Case("same by root", one, dst=without_drive("src")),
        Case("same by drive", one, dst=on_drive("src")),
        Case("slashes", one, slashes("src"), slashes("dst")),
        Case("root of the drive", one, without_drive("src"), without_drive("dst")),
        Case("folder of the drive", one, on_drive("src"), on_drive("dst")),
        Case("prefix", one, here("src", PREFIX), here("dst", PREFIX)),
        Case("prefix and slashes", one, "src", slashes("dst")),
        Case("device prefix", one, here("src", "\\\\.\\"), here("dst", "\\\\.\\")),
        Case("doubled separators", (file("src"), directory("sub")), dst="sub\\\\dst"),
        Case("other drive", (file("src"), absent("q:\\")), dst="q:\\dst"),
        Case("names of all kinds", one, "src", "ü-😀-日本"),
        Case("component of 255", one, dst="y" * 255),
        Case("component of 256", one, dst="y" * 256),
        Case("path of 40000", one, dst=os.path.join(*["y" * 200] * 200)),
    ]
    return cases


def long_cases() -> list[Case]:
    """Names beyond 260 characters."""
    layout = (file("src"), long_folder)
    src, missing = os.path.join(LONG, "src"), os.path.join(LONG, "no")
    names: dict[str, Any] = {
        "plain": os.path.join(LONG, "dst"),
        "full": here(os.path.join(LONG, "dst")),
        "prefixed": here(os.path.join(LONG, "dst"), PREFIX),
        "slashes": slashes(os.path.join(LONG, "dst")),
        "dots": os.path.join(LONG, "..", "x" * 50, "dst."),
        "missing folder": os.path.join(LONG, "no", "dst"),
        "short": "dst",
    }
    cases = [Case(f"long to {name}", layout, src, dst) for name, dst in names.items()]
    cases += [Case(f"missing long to {name}", layout, missing, dst) for name, dst in names.items()]
    return [*cases, Case("long to itself", layout, src, here(src))]


def device_cases() -> list[Case]:
    """Reserved names are devices, in any folder; the fallback copies them."""
    one = (file("src"),)
    names = ("NUL", "nul", "NUL.txt", ".\\NUL", "\\\\.\\NUL", "CON", "CONIN$", "CONOUT$", "PRN",
             "AUX", "COM1", "LPT1", "\\\\.\\pipe\\nope")  # fmt: skip
    cases = [Case(f"to {name}", one, dst=name) for name in names]
    cases += [
        Case(f"from {name} {state}", steps, src=name)
        for name in names
        if "CON" not in name
        for state, steps in (("new", ()), ("over", (file("dst"),)))
    ]
    drive = "\\\\.\\C:"
    cases += [
        Case("from a drive", (), drive, promise=both_names(drive, "dst", gone=True)),
        Case("to a drive", one, dst=drive, promise=both_names("src", drive)),
    ]
    return cases


def share_cases() -> list[Case]:
    """Names of servers, and files that somebody else has open."""
    unc: Callable[[str], str] = partial(os.path.join, SHARE or r"\\server\share")
    mapped = "\\\\?\\UNC" + unc("dst")[1:]
    cases = [
        Case("share to share", (on_share,), unc("src"), unc("dst")),
        Case("share to folder", (on_share,), unc("src")),
        Case("folder to share", (file("src"), on_share), dst=unc("dst")),
        Case("to a long share", (file("src"), on_share), dst=mapped),
        Case("share with slashes", (file("src"), on_share), dst=unc("dst").replace("\\", "/")),
        Case("same on the share", (on_share,), unc("src"), unc("SRC")),
        Case("missing on the share", (on_share,), unc("no")),
        Case("missing share", (on_share,), r"\\server\nope\no"),
        Case("missing server", (on_share,), r"\\nosuch\share\no"),
    ]
    both = (file("src"), file("dst", 5000))
    cases += [
        Case(f"{name} is open, share {share}", both, around=partial(opened, name, share))
        for name in ("src", "dst")
        for share in (0, 1, 2, 3)
    ]
    return cases


CASES = [*attribute_cases(), *name_cases(), *long_cases(), *device_cases(), *share_cases()]
