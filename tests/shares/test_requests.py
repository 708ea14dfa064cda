"""How many requests one copy may make to the server, counted by the client.

The table at the end of the run has ours beside a C program that makes only the necessary calls,
shutil of this Python and cp. Two variables add a column each, and only ours is asserted:
SPEEDCOPY_PEER, a folder with another version of speedcopy in it (``pip install --target``), and
SPEEDCOPY_PYTHON, the command of another Python, for its shutil.
"""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from support.lab_mounts import MOUNTED, NO_LAB, ROWS, Share, on, root
from support.layout import pattern
from support.server_requests import RequestCounts, forget_requests, operations, requests
from support.sizes import MIB
from support.summaries import Table

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator

if not MOUNTED:
    pytest.skip(NO_LAB, allow_module_level=True)

#: What dst is: new; there, and the client knows it; there, but another client has made it.
STATES = ("new", "over", "unknown")

#: At most so many requests for a MiB, by state. 32 MiB take one more where a request copies 16 MiB:
#: Linux since 6.18, and 6.12.111. Older kernels make a request for each MiB.
BUDGET = {"SMB_EXT4": (4, 4, 5), "SMB_XFS": (4, 4, 5), "SMB_BTRFS": (5, 4, 5)}

#: An old dst is emptied first where a copy takes several requests; that costs so many more.
EMPTYING = 5

#: A busy machine may take so long that the client forgets what it knew in the middle of a copy.
ATTEMPTS = 4

numbers = itertools.count()

#: What copies: started with src and dst, it gives the call that is counted.
Tool = Callable[[Path, Path], AbstractContextManager[Callable[[], object]]]

#: In a process of its own, which has loaded everything before the count. The first argument, if
#: any, is where another version of speedcopy is.
SCRIPT = """
import shutil, sys
if sys.argv[1]:
    sys.path.insert(0, sys.argv[1])
    import speedcopy
    speedcopy.patch_copyfile()
print("ready", flush=True)
sys.stdin.readline()
shutil.copyfile(*sys.argv[2:])
"""


@pytest.fixture
def top(request: pytest.FixtureRequest) -> Iterator[Share]:
    """The mount itself, as looking up a folder in it would cost three requests."""
    folder = root(request.param)
    made = Share(request.param, folder, Path(os.environ[ROWS[request.param].server_variable]))
    yield made
    for name in made.names():
        os.unlink(made / name)  # by the client: it may have it open for a second


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Table:
    """Printed at the end, whatever pytest captures."""
    made = Table("requests")
    request.config.pluginmanager.register(made)
    return made


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program that makes the necessary calls and nothing else."""
    source = Path(__file__).parents[2] / "tools" / "bench" / "floor.c"
    program = tmp_path_factory.mktemp("floor") / "floor"
    subprocess.run(["cc", "-o", program, source], check=True)
    return program


def prepare(top: Share, name: str, size: int, state: str) -> tuple[Path, Path]:
    """A src, and a dst that is what ``state`` says, as the server has them."""
    src = f"src{size}"
    if not (top.disk / src).exists():
        (top.disk / src).write_bytes(pattern(size))
    if state != "new":
        with (top.disk / name).open("wb") as dst:
            dst.truncate(size)
    return top / src, top / name


def counted(top: Share, size: int, state: str, tool: Tool) -> RequestCounts:
    """The requests of one copy.

    Before it the client has closed all files, and has looked up src, as a caller usually has. It
    has not looked up dst, except in the state "over". A name is never used twice.
    """
    name = f"dst{next(numbers)}"
    src, dst = prepare(top, name, size, state)
    top.forget()
    with tool(src, dst) as copy:
        os.stat(src)
        if state == "over":
            os.stat(dst)
        forget_requests()
        copy()
        found = requests(top.name)
    assert (top.disk / name).stat().st_size == size
    os.unlink(dst)
    return found


def least(top: Share, size: int, state: str, enough: int, tool: Tool) -> RequestCounts:
    """The requests of a copy whose client still has the attributes of src cached."""
    found = []
    for _ in range(ATTEMPTS):
        found.append(counted(top, size, state, tool))
        if found[-1].total <= enough:
            break
    return min(found)


def by_function(copy: Callable[[Path, Path], object]) -> Tool:
    """A copy in this process."""
    return lambda src, dst: nullcontext(lambda: copy(src, dst))


def by_program(program: str | Path) -> Tool:
    """A copy by a program, which is so small that starting it does not matter."""
    return by_function(
        lambda src, dst: subprocess.run(
            [program, src, dst], check=True, stdout=subprocess.DEVNULL, timeout=60
        )
    )


def by_python(python: str, peer: str = "") -> Tool:
    """A copy by another Python, or another version of speedcopy, which has been started."""

    @contextmanager
    def started(src: Path, dst: Path) -> Iterator[Callable[[], object]]:
        command = [*shlex.split(python), "-c", SCRIPT, peer, str(src), str(dst)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline()
            yield lambda: process.communicate(b"\n", timeout=60)
        assert process.returncode == 0

    return started


#: The length of :func:`others` without the two variables; with one, the C program runs as well.
ALWAYS = 2


@pytest.fixture(scope="module")
def others() -> dict[str, Tool]:
    """What else copies here, by its column."""
    found = {name_of(sys.executable): by_function(shutil.copyfile), "cp": by_program("cp")}
    if python := os.environ.get("SPEEDCOPY_PYTHON"):
        found[name_of(python)] = by_python(python)
    if peer := os.environ.get("SPEEDCOPY_PEER"):
        found["peer"] = by_python(sys.executable, peer)
    return found


def name_of(python: str) -> str:
    """The column of a Python's shutil."""
    script = "import sys; print('shutil %d.%d' % sys.version_info[:2])"
    command = [*shlex.split(python), "-c", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("top", "size", "state"),
    [
        *((name, MIB, state) for name in BUDGET for state in STATES),
        *(
            (name, 32 * MIB, state)
            for name in ("SMB_XFS", "SMB_BTRFS")
            for state in ("new", "over")
        ),
    ],
    indirect=["top"],
    ids=lambda value: value if isinstance(value, str) else f"{value // MIB} MiB",
)
def test_smb(
    size: int, state: str, top: Share, floor: Path, others: dict[str, Tool], table: Table
) -> None:
    """Within the budget, or no more than the C program with the necessary calls makes."""
    speedcopy.copyfile(
        *prepare(top, f"dst{next(numbers)}", MIB, "new")
    )  # asks for the type, once a thread
    budget = BUDGET[top.name][STATES.index(state)] + (size > MIB)
    if state == "over" and size > MIB:
        budget += EMPTYING
    row = f"{top.name} {size // MIB} MiB {state}"
    ours = least(top, size, state, budget, by_function(speedcopy.copyfile))
    table.add(row, "speedcopy", ours)
    if ours.total > budget or len(others) > ALWAYS:
        necessary = least(top, size, state, budget, by_program(floor))
        table.add(row, "floor in C", necessary)
        assert ours.total <= max(budget, necessary.total)
    if top.name != "SMB_EXT4":
        for name, tool in others.items():
            table.add(row, name, counted(top, size, state, tool))
    unwanted = {"QueryDirectories", "Reads", "Writes"}
    if budget < EMPTYING + 4:
        unwanted |= {"Flushes"}
    assert not unwanted & ours.kinds.keys()


@pytest.mark.parametrize("top", ["SMB_XFS"], indirect=True)
def test_smb_empty(top: Share) -> None:
    """A copy of an empty file is two opens."""
    speedcopy.copyfile(*prepare(top, f"dst{next(numbers)}", MIB, "new"))
    assert least(top, 0, "new", 2, by_function(speedcopy.copyfile)).total <= 2


def operations_of(share: Share, call: Callable[[], object]) -> RequestCounts:
    """The requests of a call to an NFS server."""
    before = operations(root(share.name))
    call()
    after = operations(root(share.name))
    kinds = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    return RequestCounts(sum(kinds.values()), kinds)


@on("NFS42", "NFS3")
@pytest.mark.parametrize("state", ["new", "over"])
def test_nfs(state: str, share: Share, table: Table) -> None:
    """NFS 4.2 clones and moves no data; on NFS 3, ours makes no more requests than shutil."""
    told = {}
    size = 32 * MIB if share.name == "NFS42" else 4 * MIB
    row = f"{share.name} {size // MIB} MiB {state}"
    tools = {name_of(sys.executable): shutil.copyfile, "speedcopy": speedcopy.copyfile}
    for name, copy in tools.items():
        src, dst = prepare(share, name.replace(" ", "-"), size, state)
        share.forget()
        told[name] = operations_of(share, lambda: copy(src, dst))  # noqa: B023
        assert share.stored(dst.name) == pattern(size)
        table.add(row, name, told[name])
    theirs, ours = told.values()
    if share.name == "NFS42":
        assert ours.kinds["CLONE"] == 1
        assert not {"READ", "READ_PLUS", "WRITE", "COPY"} & ours.kinds.keys()
        # an exclusive create is kept in the times of the new file, an existing one is emptied
        assert ours.kinds["SETATTR"] == 1
        assert ours.total <= 8
    else:
        assert ours.total <= theirs.total
