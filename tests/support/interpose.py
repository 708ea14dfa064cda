"""A process in which system calls fail, fall short and dawdle, as a test says.

``interpose.c`` has to be there when a process starts, so the tests talk to a :class:`Worker`
with it: one process for many copies, as a row of a table then costs a millisecond.
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import functools
import importlib
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

import pytest

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

#: linux/magic.h
EXT_MAGIC = 0xEF53
NFS_MAGIC = 0x6969
SMB2_MAGIC = 0xFE534D42

#: Device numbers that no mount has; each copy takes a new one, as they are remembered.
_minors = itertools.count(100_000)


class Rule(NamedTuple):
    """What happens to calls number ``skip`` to ``skip + times - 1``; see interpose.c."""

    call: str
    action: str
    code: int = 0
    amount: int = 0
    skip: int = 0
    times: int = -1
    where: str = ""


def fail(call: str, code: int, *, skip: int = 0, times: int = -1, where: str = "") -> Rule:
    """The call fails with errno ``code``."""
    return Rule(call, "fail", code, 0, skip, times, where)


def late(call: str, code: int, amount: int) -> Rule:
    """The call fails with errno ``code`` after it has moved ``amount`` bytes."""
    return Rule(call, "late", code, amount)


def nothing(call: str, *, skip: int = 0) -> Rule:
    """The call succeeds and moves nothing."""
    return Rule(call, "nothing", skip=skip)


def short(call: str, amount: int, *, times: int = -1) -> Rule:
    """The call moves at most ``amount`` bytes."""
    return Rule(call, "short", 0, amount, times=times)


def slow(call: str, bytes_per_second: int, *, skip: int = 0, where: str = "") -> Rule:
    """The call takes its time, and no signal shortens it."""
    return Rule(call, "slow", 0, bytes_per_second, skip, where=where)


def signalled(call: str, number: int, *, skip: int = 0, times: int = 1, where: str = "") -> Rule:
    """The process gets a signal, and the call fails with EINTR."""
    return Rule(call, "signal", number, 0, skip, times, where)


def serve(call: str) -> Rule:
    """FICLONE or CIFS_IOC_COPYCHUNK_FILE does what it is for."""
    return Rule(call, "serve")


def on_smb() -> tuple[Rule, ...]:
    """Both files look as if they lay on one SMB mount."""
    return (Rule("CIFS_IOC_GET_MNT_INFO", "answer"), *_on(SMB2_MAGIC))


def on_nfs() -> tuple[Rule, ...]:
    """Both files look as if they lay on one share, which does not clone."""
    return (fail("FICLONE", errno.EOPNOTSUPP), *_on(NFS_MAGIC))


def on_disk() -> tuple[Rule, ...]:
    """Both files look as if they lay on one disk, which does not clone."""
    return (fail("FICLONE", errno.EOPNOTSUPP), *_on(EXT_MAGIC))


def _on(kind: int) -> tuple[Rule, ...]:
    minor = next(_minors)
    return (
        Rule("fstat", "answer", minor),
        Rule("stat", "answer", minor),
        Rule("fstatfs", "answer", kind),
    )


#: Unless a test says otherwise: a disk that does not clone.
_ON_A_DISK = (
    fail("FICLONE", errno.EOPNOTSUPP),
    fail("FIDEDUPERANGE", errno.EOPNOTSUPP),
    Rule("fstatfs", "answer", EXT_MAGIC),
)


@dataclass(frozen=True)
class Failure:
    """The exception that came out of a copy."""

    kind: str
    errno: Optional[int]
    strerror: Optional[str]
    filename: Optional[str]
    filename2: Optional[str]


@dataclass(frozen=True)
class Outcome:
    """What a copy in the worker came to."""

    mechanism: Optional[str] = None
    copied: Optional[int] = None
    declined: dict[str, str] = field(default_factory=dict)
    failure: Optional[Failure] = None
    calls: list[str] = field(default_factory=list)
    open_files: int = 0


@functools.cache
def _build() -> Path:
    """Compiles interpose.c; skips the test where there is no compiler or no preloading."""
    if not (ROOT / "speedcopy" / "native" / "posix" / "linux.h").exists():
        pytest.skip("the sources of the native layer are not here")
    if not hasattr(pytest.importorskip("speedcopy._native").lib, "FICLONE"):
        pytest.skip("interpose.c knows the calls of Linux only")
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tempfile.mkdtemp(prefix="interpose-")
    atexit.register(shutil.rmtree, folder)
    library = Path(folder, "interpose.so")
    defines = ("-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-U_FORTIFY_SOURCE")
    warnings = ("-Wall", "-Wextra", "-Werror")
    include = f"-I{ROOT / 'speedcopy' / 'native'}"
    source = str(Path(__file__).with_name("interpose.c"))
    command = (compiler, "-std=gnu11", "-shared", "-fPIC", "-O1", *defines, *warnings, include)
    subprocess.run((*command, "-o", str(library), source, "-ldl", "-pthread"), check=True)
    return library


class Worker:
    """The process, and functions to have it do something.

    A test that fails may leave it dead or still busy; the next one gets a fresh one.
    """

    def __init__(self, release: str = "") -> None:
        """``release`` is what uname tells of the kernel, "" the truth."""
        self._library = str(_build())
        self._release = release
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._busy = False

    def _launch(self) -> subprocess.Popen[bytes]:
        preloads = filter(None, (os.environ.get("LD_PRELOAD"), self._library))
        environment = {
            **os.environ,
            "LD_PRELOAD": ":".join(preloads),
            **({"INTERPOSE_RELEASE": self._release} if self._release else {}),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        script = f"from support.interpose import obey; obey({self._library!r})"
        return subprocess.Popen(
            (sys.executable, "-c", script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=environment,
            cwd=ROOT,
        )

    def start(self, function: Callable[..., Any], *arguments: object) -> None:
        """Has the process call a function of a test module with arguments that JSON can carry."""
        if self._process and (self._busy or self._process.poll() is not None):
            self.stop()
        self._process = self._process or self._launch()
        self._busy = True
        request = json.dumps((function.__module__, function.__name__, arguments))
        assert self._process.stdin
        self._process.stdin.write(request.encode() + b"\n")

    def has_answered(self, seconds: float = 0) -> bool:
        """Waits so long for the function to return, or the process to die."""
        assert self._process
        assert self._process.stdout
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def result(self) -> Any:
        """Waits for what the function returned, as JSON carries it."""
        assert self._process
        assert self._process.stdout
        line = b""
        while not line.endswith(b"\n"):
            assert self.has_answered(60), "the worker hangs"
            part = self._process.stdout.read(1 << 16)
            assert part, "the worker has died"
            line += part
        self._busy = False
        answer = json.loads(line)
        assert "returned" in answer, answer["raised"]
        return answer["returned"]

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Both."""
        self.start(function, *arguments)
        return self.result()

    def copy(self, src: Path, dst: Path, *rules: Rule, **options: object) -> Outcome:
        """Makes a copy with ``options`` of transfer(), and tells what it came to."""
        answer = self.call(copy, str(src), str(dst), (*rules, *_ON_A_DISK), options)
        failure = answer.pop("failure")
        return Outcome(**answer, failure=failure and Failure(**failure))

    def signal(self, number: int) -> None:
        """Sends it a signal."""
        assert self._process
        self._process.send_signal(number)

    def stop(self) -> None:
        """Ends the process."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None
            self._busy = False


@contextmanager
def started_worker(release: str = "") -> Iterator[Worker]:
    """A worker for a ``with`` block, in which uname tells ``release`` of the kernel."""
    worker = Worker(release)
    try:
        yield worker
    finally:
        worker.stop()


# Below: what runs in the worker.

_library: Any = None


def _requests() -> Iterator[str]:
    while True:
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:  # meant for a copy that has ended before
            continue
        if not line:
            return
        yield line


def obey(library: str) -> None:
    """Calls what it is told to on stdin, a JSON line each, and answers on stdout."""
    global _library  # noqa: PLW0603
    _library = ctypes.CDLL(library)
    _library.interpose_calls.restype = ctypes.c_char_p
    long = ctypes.c_long
    _library.interpose_rule.argtypes = (
        *(ctypes.c_char_p, ctypes.c_char_p, long, long),
        *(ctypes.c_char_p, long, long),
    )
    signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    for line in _requests():
        module, function, arguments = json.loads(line)
        try:
            returned = getattr(importlib.import_module(module), function)(*arguments)
        except Exception:  # noqa: BLE001
            answer = {"raised": traceback.format_exc()}
        else:
            answer = {"returned": returned}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


@contextmanager
def rules_for(folder: str, rules: list[list[Any]]) -> Iterator[None]:
    """Rules for the files in ``folder``."""
    _library.interpose_reset(os.fsencode(folder))
    for fields in rules:
        rule = Rule(*fields)
        refused = _library.interpose_rule(
            rule.call.encode(),
            rule.where.encode(),
            rule.skip,
            rule.times,
            rule.action.encode(),
            rule.code,
            rule.amount,
        )
        assert not refused, rule
    try:
        yield
    finally:
        _library.interpose_reset(b"")


def calls() -> list[str]:
    """The system calls on files in the folder, in order."""
    names: list[str] = _library.interpose_calls().decode().split()
    return names


def open_files() -> int:
    """How many files in the folder are open."""
    count: int = _library.interpose_open_files()
    return count


def describe(error: BaseException) -> Failure:
    """An exception as JSON can carry it."""
    name, name2 = getattr(error, "filename", None), getattr(error, "filename2", None)
    return Failure(
        type(error).__name__,
        getattr(error, "errno", None),
        getattr(error, "strerror", None),
        name,
        name2,
    )


def copy(src: str, dst: str, rules: list[list[Any]], options: dict[str, Any]) -> dict[str, Any]:
    """One copy with rules."""
    transfer, failure = None, None
    with rules_for(os.path.dirname(dst), rules):
        try:
            transfer = speedcopy.transfer(src, dst, **options)
        except BaseException as error:  # noqa: BLE001
            failure = describe(error)
        outcome = Outcome(
            transfer.mechanism if transfer else None,
            transfer.copied if transfer else None,
            transfer.declined if transfer else {},
            failure,
            calls(),
            open_files(),
        )
    return asdict(outcome)
