"""The sdist, whose bytes depend on the files of the checkout and the time of the last commit."""

from __future__ import annotations

import gzip
import os
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from common.errors import ToolError
from common.programs import ProgramError, output

from cross.targets import ROOT

BACKEND = Path(__file__).with_name("backend.py")
EPOCH = "SOURCE_DATE_EPOCH"


def epoch() -> str:
    """The time that files get: that of the environment, or of the last commit."""
    return os.environ.get(EPOCH) or git("log", "-1", "--format=%ct").strip()


def git(*arguments: str) -> str:
    """What git prints about the checkout."""
    try:
        return output(["git", *arguments], ROOT)
    except (OSError, ProgramError) as error:
        msg = f"wheels are built from a git checkout: {error}"
        raise ToolError(msg) from error


def build(folder: Path) -> Path:
    """Builds the sdist of the checkout as it is, without files that git does not know."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        for file in git("ls-files", "-z").rstrip("\0").split("\0"):
            if (ROOT / file).exists():
                (project / file).parent.mkdir(parents=True, exist_ok=True)
                (project / file).write_bytes((ROOT / file).read_bytes())
        printed = output([sys.executable, str(BACKEND), "sdist", str(folder.resolve())], project)
    built = folder / printed.splitlines()[-1]
    built.write_bytes(repacked(built.read_bytes(), int(epoch())))
    return built


def repacked(archive: bytes, time: int) -> bytes:
    """The same files, sorted, and without what differs between two builds: times, users, modes."""
    packed = BytesIO()
    with (
        tarfile.open(fileobj=BytesIO(archive)) as source,
        gzip.GzipFile("", "wb", 9, packed, time) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as result,
    ):
        for member in sorted(source.getmembers(), key=lambda each: each.name):
            clean = tarfile.TarInfo(member.name)
            clean.type, clean.size, clean.mtime = member.type, member.size, time
            clean.mode = 0o755 if member.isdir() else 0o644
            result.addfile(clean, source.extractfile(member) if member.isfile() else None)
    return packed.getvalue()
