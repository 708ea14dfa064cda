"""Every example of the README runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import speedcopy

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_runs(example: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example runs as printed, in a folder that has the files it names."""
    monkeypatch.chdir(folder)
    for name in ("plate.0001.exr", "cache.abc", "renders/0001.exr"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() * 100)
    share = folder / "share"
    share.mkdir()
    code = example.replace("/mnt/nas/show", share.as_posix())
    try:
        exec(code, {"user_pressed_cancel": lambda: False})  # noqa: S102
    finally:
        speedcopy.unpatch_copyfile()
    made = {
        "plate.0001.exr": share / "plate.0001.exr",
        "published": folder / "published" / "0001.exr",
        "cache.bak": folder / "cache.bak",
    }
    expected = [path for name, path in made.items() if name in example]
    assert expected
    assert all(path.read_bytes() for path in expected)


def test_the_readme_has_examples() -> None:
    """The pattern above still finds them."""
    assert len(EXAMPLES) == 4
