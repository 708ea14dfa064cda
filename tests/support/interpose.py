"""A process in which system calls fail, fall short and dawdle, as a test says.

``interpose.c`` has to be there when a process starts, so the tests talk to a :class:`Worker`
with it: one process for many copies, as a row of a table then costs a millisecond.
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import functools
import itertools
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

import pytest
from support.descriptors import descriptors
from support.failure import Failure

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]

PathLike = Union[str, Path]

#: linux/magic.h
EXT_MAGIC = 0xEF53
NFS_MAGIC = 0x6969
SMB2_MAGIC = 0xFE534D42

#: Device numbers that no mount has; each copy takes a new one, as they are remembered.
_minors = itertools.count(100_000)


class Rule(NamedTuple):
    """What happens to calls number ``skip`` to ``skip + times - 1``; see interpose.h."""

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


def short(call: str, amount: int, *, times: int = -1) -> Rule:
    """The call moves at most ``amount`` bytes."""
    return Rule(call, "short", 0, amount, times=times)


def slow(call: str, bytes_per_second: int, *, skip: int = 0, where: str = "") -> Rule:
    """The call takes its time, and no signal shortens it."""
    return Rule(call, "slow", 0, bytes_per_second, skip, where=where)


def signalled(call: str, number: int, *, skip: int = 0, times: int = 1, where: str = "") -> Rule:
    """The process gets a signal, and the call fails with EINTR."""
    return Rule(call, "signal", number, 0, skip, times, where)


def on_smb() -> tuple[Rule, ...]:
    """Both files look as if they lay on one SMB mount."""
    return _available(Rule("CIFS_IOC_GET_MNT_INFO", "answer"), *_on(SMB2_MAGIC))


def on_nfs() -> tuple[Rule, ...]:
    """Both files look as if they lay on one share, which does not clone."""
    return _available(*_NO_CLONES, *_on(NFS_MAGIC))


def on_disk() -> tuple[Rule, ...]:
    """Both files look as if they lay on one disk, which does not clone."""
    return _available(*_NO_CLONES, *_on(EXT_MAGIC))


_NO_CLONES = (fail("FICLONE", errno.EOPNOTSUPP), fail("FIDEDUPERANGE", errno.EOPNOTSUPP))


def _on(kind: int) -> tuple[Rule, ...]:
    device = os.makedev(0, next(_minors))
    return (
        Rule("fstat", "answer", device),
        Rule("stat", "answer", device),
        Rule("fstatfs", "answer", kind),
    )


def _available(*rules: Rule) -> tuple[Rule, ...]:
    """Those about calls that this platform has."""
    return tuple(rule for rule in rules if rule.call in _known(_library()))


@dataclass(frozen=True)
class Result:
    """What a copy in the worker returned or raised, and the calls that it made."""

    mechanism: Optional[str] = None
    copied: Optional[int] = None
    declined: dict[str, str] = field(default_factory=dict)
    failure: Optional[Failure] = None
    calls: list[str] = field(default_factory=list)


#: Says that the library cannot be compiled, once a test has failed for that.
_broken: list[str] = []


def _library() -> str:
    """The compiled interposer; if that fails, so does one test, and the others are skipped."""
    if _broken:
        pytest.skip(_broken[0])
    try:
        return _compile()
    except subprocess.CalledProcessError as error:
        message = error.stderr
    _broken.append("the interposer cannot be compiled, for which another test has failed")
    pytest.fail(f"the interposer cannot be compiled:\n{message}", pytrace=False)


@functools.cache
def _compile() -> str:
    """Compiles it; skips the test where that is not possible."""
    if os.name != "posix":
        pytest.skip("no system calls of POSIX here")
    pytest.importorskip("speedcopy._native", reason="no native layer on this platform")
    native = ROOT / "speedcopy" / "native"
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or not native.exists():
        pytest.skip("no C compiler, or no sources of the native layer")
    folder = tempfile.mkdtemp(prefix="interpose-")
    atexit.register(shutil.rmtree, folder)
    library = os.path.join(folder, "interpose.so")
    defines = ("-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-U_FORTIFY_SOURCE")
    options = ("-std=gnu11", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
    own = Path(__file__).with_name(f"interpose_{sys.platform.rstrip('0123456789')}.c")
    sources = (str(Path(__file__).with_name("interpose.c")), *([str(own)] if own.exists() else ()))
    command = (compiler, *options, *defines, f"-I{native}", "-o", library, *sources)
    subprocess.run((*command, "-ldl", "-pthread"), check=True, stderr=subprocess.PIPE, text=True)
    return library


@functools.cache
def _known(library: str) -> frozenset[str]:
    """The calls that the interposer has on this platform."""
    loaded = ctypes.CDLL(library)
    loaded.interpose_known.restype = ctypes.c_char_p
    return frozenset(loaded.interpose_known().decode().split())


class Worker:
    """The process, and functions to have it do something.

    A test that fails may leave it dead or still busy; the next one gets a fresh one.
    """

    def __init__(self, release: str = "") -> None:
        """``release`` is what uname returns for the kernel, "" the truth."""
        self._release = release
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._busy = False
        self.ended = 0.0  # when the last function returned, by time.monotonic()

    def _launch(self) -> subprocess.Popen[bytes]:
        library = _library()
        preloads = filter(None, (os.environ.get("LD_PRELOAD"), library))
        environment = {
            **os.environ,
            "LD_PRELOAD": ":".join(preloads),
            **({"INTERPOSE_RELEASE": self._release} if self._release else {}),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        script = f"from support.interpose import obey; obey({library!r})"
        return subprocess.Popen(
            (sys.executable, "-c", script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=environment,
            cwd=ROOT,
        )

    def start(
        self, function: Callable[..., Any], rules: Iterable[Rule], src: PathLike, *others: object
    ) -> None:
        """Has the process call a function of a module, with rules for the files beside ``src``.

        Whatever goes to the process and back has to be what can be pickled.
        """
        if self._process and (self._busy or self._process.poll() is not None):
            self.stop()
        self._process = self._process or self._launch()
        self._busy = True
        assert self._process.stdin
        request = pickle.dumps((function, tuple(rules), str(src), others))
        self._process.stdin.write(request.hex().encode() + b"\n")

    def has_answered(self, seconds: float = 0) -> bool:
        """Waits so long for the function to return, or the process to die."""
        assert self._process
        assert self._process.stdout
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def result(self) -> Any:
        """Waits for what the function returned; it may have left no file open."""
        assert self._process
        assert self._process.stdout
        line = b""
        while not line.endswith(b"\n"):
            assert self.has_answered(60), "the worker hangs"
            part = self._process.stdout.read(1 << 16)
            assert part, "the worker has died"
            line += part
        self._busy = False
        answer = pickle.loads(bytes.fromhex(line.decode()))  # noqa: S301
        raised, returned, left, self.ended = answer
        assert not raised, raised
        assert not left
        return returned

    def call(
        self, function: Callable[..., Any], rules: Iterable[Rule], src: PathLike, *others: object
    ) -> Any:
        """Has the process call a function, and returns what that returned."""
        self.start(function, rules, src, *others)
        return self.result()

    def start_copy(self, src: PathLike, dst: PathLike, *rules: Rule, **options: object) -> None:
        """Begins a copy with ``options`` of transfer(); a disk that does not clone by default."""
        disk = _available(*_NO_CLONES, Rule("fstatfs", "answer", EXT_MAGIC))
        self.start(copy, (*rules, *disk), src, str(dst), options)

    def copy(self, src: PathLike, dst: PathLike, *rules: Rule, **options: object) -> Result:
        """Makes a copy as :meth:`start_copy` does, and waits for its result."""
        self.start_copy(src, dst, *rules, **options)
        result: Result = self.result()
        return result

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that a copy does on its way."""
        while not condition():
            assert not self.has_answered(0.005), self.result()

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
    """A worker for a ``with`` block, in which uname returns ``release`` for the kernel."""
    worker = Worker(release)
    try:
        yield worker
    finally:
        worker.stop()


# Below: what runs in the worker.

_loaded: Any = None


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
    """Makes the calls that stdin asks for, a line each, and answers on stdout."""
    global _loaded  # noqa: PLW0603
    _loaded = ctypes.CDLL(library)
    _loaded.interpose_calls.restype = ctypes.c_char_p
    name, number = ctypes.c_char_p, ctypes.c_long
    _loaded.interpose_rule.argtypes = (name, name, number, number, name, number, number)
    signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    for line in _requests():
        raised, returned, left, ended = "", None, frozenset[str](), 0.0
        try:
            function, rules, src, others = pickle.loads(bytes.fromhex(line))  # noqa: S301
            folder = os.path.dirname(src)
            unknown = {rule.call for rule in rules} - _known(library)
            assert not unknown, f"interpose*.c does not have the call {', '.join(sorted(unknown))}"
            _set_rules(folder, rules)
            returned = function(src, *others)
            ended = time.monotonic()
            left = descriptors(folder)
        except Exception:  # noqa: BLE001
            raised = traceback.format_exc()
        finally:
            _set_rules("", ())
        sys.stdout.write(pickle.dumps((raised, returned, left, ended)).hex() + "\n")
        sys.stdout.flush()


def _set_rules(folder: str, rules: Iterable[Rule]) -> None:
    _loaded.interpose_reset(os.fsencode(folder))
    for rule in rules:
        call, where, action = rule.call.encode(), rule.where.encode(), rule.action.encode()
        numbers = (rule.skip, rule.times)
        refused = _loaded.interpose_rule(call, where, *numbers, action, rule.code, rule.amount)
        assert not refused, rule


def calls() -> list[str]:
    """The system calls on files in the folder, in order."""
    names: list[str] = _loaded.interpose_calls().decode().split()
    return names


def copy(src: str, dst: str, options: dict[str, Any]) -> Result:
    """One copy."""
    try:
        done = speedcopy.transfer(src, dst, **options)
    except BaseException as error:  # noqa: BLE001
        return Result(failure=Failure.of(error), calls=calls())
    return Result(done.mechanism, done.copied, done.declined, None, calls())
