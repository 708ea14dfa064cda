"""The pages: their examples run, their links lead somewhere, their maps are the tree's."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from pathlib import Path

import pytest
from support.maps import listed

import speedcopy

ROOT = Path(__file__).parents[2]
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
PAGES = (README, CONTRIBUTING, ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md")))

#: PyPI shows README.md alone, so what it links to needs a whole address.
ONLINE = "https://github.com/antirotor/speedcopy/blob/main/"

MOST_LINES, MOST_WORDS = 120, 900

#: Shorter lines may stand on two pages: table heads, a command that belongs to both.
LONG_LINE = 60

#: By a name in an example: the file that it makes.
MADE = {
    "plate.0002.exr": "share/plate.0002.exr",
    "cache.bak": "cache.bak",
    "published.abc": "published.abc",
    '"published"': "published/0001.exr",
    "probe.json": "probe.json",
}

#: Headers of the systems, which comments name and the tree has not.
ELSEWHERE = re.compile(r"(?:linux|asm|fs)/.*|winnt\.h")

SUFFIXES = ("c", "h", "md", "png", "py", "pyi", "sh")
FILE = re.compile(rf"(?<![\w./<-])(?:[\w.-]+/)*[\w-][\w.-]*\.(?:{'|'.join(SUFFIXES)})\b(?!\w)")

checkout_only = pytest.mark.skipif(
    not (ROOT / "speedcopy" / "__init__.py").exists(), reason="not a checkout"
)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def text_of(page: Path) -> str:
    """What a page says."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def section(page: Path, heading: str) -> str:
    """What stands below a heading."""
    return text_of(page).split(f"\n## {heading}\n")[1].split("\n## ")[0]


def links(page: Path) -> list[str]:
    """Where the links and pictures of a page lead."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def sources() -> list[str]:
    """Files of the product, relative to the root."""
    found = [path for path in (ROOT / "speedcopy").rglob("*") if path.suffix[1:] in SUFFIXES]
    return [path.relative_to(ROOT).as_posix() for path in (*found, *ROOT.glob("*.py"))]


def is_there(name: str, beside: Path) -> bool:
    """Whether a file is called so: from the root, from a file beside it, or by its last parts."""
    if ELSEWHERE.fullmatch(name) or (ROOT / name).exists() or (beside / name).exists():
        return True
    folders = ("speedcopy", "tests", "tools", "docs")
    return any(next((ROOT / folder).rglob(name), None) for folder in folders)


EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(blocks(page, "python"))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example runs as printed, in a folder that has the files it names."""
    monkeypatch.chdir(folder)
    for name in ("share/plate.0001.exr", "cache.abc", "renders/0001.exr"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() * 100)
    code = example.replace("/mnt/nas", (folder / "share").as_posix())
    try:
        exec(code, {"user_pressed_cancel": lambda: False})  # noqa: S102
    finally:
        speedcopy.unpatch_copyfile()
    expected = [folder / path for name, path in MADE.items() if name in example]
    assert expected
    assert all(path.read_bytes() for path in expected)


def test_there_are_examples() -> None:
    """The pattern above still finds them."""
    assert len(EXAMPLES) >= 4
    assert blocks(README, "python")


def test_readme_is_about_one_page() -> None:
    """What does not fit belongs to docs/."""
    text = text_of(README)
    assert len(text.splitlines()) <= MOST_LINES
    assert len(re.findall(r"\S*\w\S*", text)) <= MOST_WORDS


def test_readme_has_the_two_commands() -> None:
    """.ci/run reads them from this section, in this form."""
    commands = re.findall(r"^```\n(python3 .+)\n```$", section(README, "Try it"), re.MULTILINE)
    assert [command.split()[2] for command in commands] == ["benchmark", "test"]


def test_links_of_readme_work_on_pypi() -> None:
    """Each is absolute, and those to the project lead to a file that is there."""
    for link in links(README):
        assert link.startswith("https://")
        if "speedcopy/" in link:
            assert link.startswith(ONLINE)
            assert (ROOT / link[len(ONLINE) :]).is_file(), link


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """A file that is there, and a heading in it."""
    for link in links(page):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_each_page_can_be_reached() -> None:
    """README.md links to every page, so a reader of PyPI finds it."""
    linked = {link[len(ONLINE) :] for link in links(README) if link.startswith(ONLINE)}
    pages = {page.relative_to(ROOT).as_posix() for page in PAGES[1:]}
    assert linked >= pages


@each_page
@checkout_only
def test_files_named_in_a_page_are_there(page: Path) -> None:
    """In commands, too."""
    text = re.sub(r"https?://\S+", "", text_of(page))
    missing = [name for name in FILE.findall(text) if not is_there(name, page.parent)]
    assert missing == []


@checkout_only
def test_the_map_has_the_product() -> None:
    """Every file of the package, or a folder that it is in; every folder of tests and tools."""
    mapped = listed(section(CONTRIBUTING, "Map"))
    folders = [
        f"{path.relative_to(ROOT).as_posix()}/"
        for parent in ("tests", "tools")
        for path in (ROOT / parent).iterdir()
        if any(path.glob("*.py"))
    ]
    tools = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tools").glob("*.py")]
    covered = tuple(name for name in mapped if name.endswith("/"))
    found = {*sources(), *folders, *tools} - mapped
    assert sorted(name for name in found if not name.startswith(covered)) == []
    assert [name for name in mapped if "/" in name and not (ROOT / name).exists()] == []


def documentation(path: Path) -> str:
    """What a source file says of itself and of others."""
    text = text_of(path)
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(text)) or ""
    return "".join(re.findall(r"/\*.*?\*/", text, re.DOTALL))


@checkout_only
def test_files_named_in_sources_are_there() -> None:
    """In the docstrings of modules and the comments of C: what has moved is called by its name."""
    paths = itertools.chain(
        (ROOT / name for name in sources() if not name.endswith(".pyi")),
        *((ROOT / folder).rglob("*.py") for folder in ("tests", "tools")),
        *((ROOT / folder).rglob("*.c") for folder in ("tests", "tools")),
    )
    missing = [
        f"{path.relative_to(ROOT).as_posix()}: {name}"
        for path in paths
        if path.suffix in (".py", ".c", ".h")
        for name in FILE.findall(documentation(path))
        if not is_there(name, path.parent)
    ]
    assert missing == []


@pytest.mark.parametrize("keyword", list(inspect.signature(speedcopy.transfer).parameters)[2:])
def test_each_keyword_is_described(keyword: str) -> None:
    """usage.md names all that transfer() can be given besides src and dst."""
    code = re.findall(r"`[^`]+`", prose(ROOT / "docs" / "usage.md"))
    assert any(re.search(rf"\b{keyword}\b", span) for span in code)


def test_no_page_repeats_another() -> None:
    """A long line is on one page, and once."""
    pages: dict[str, list[str]] = {}
    for page in PAGES:
        for line in map(str.strip, text_of(page).splitlines()):
            if len(line) >= LONG_LINE:
                pages.setdefault(line, []).append(page.name)
    twice = {line: names for line, names in pages.items() if len(names) > 1}
    assert twice == {}


@checkout_only
def test_every_reason_of_linux_is_explained() -> None:
    """Each errno that a comment in linux.c names, and each mechanism, is in mechanisms.md."""
    page = text_of(ROOT / "docs" / "mechanisms.md")
    source = text_of(ROOT / "speedcopy" / "native" / "posix" / "linux.c")
    comments = documentation(ROOT / "speedcopy" / "native" / "posix" / "linux.c")
    named = {*re.findall(r"\bE[A-Z]{3,}\b", comments)} - {"ENXIO", "EREMOTEIO"}
    rows = source.split("sc_mechanisms[]")[1].split("};")[0]
    mechanisms = set(re.findall(r'\{"([^"]+)"', rows))
    assert mechanisms
    assert [name for name in (*named, *mechanisms) if f"`{name}`" not in page] == []
