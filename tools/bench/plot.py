"""The pictures: MB/s by size, a line for each tool; and how much faster than shutil each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import needs
from bench.errors import BenchmarkError
from bench.report import times
from bench.rows import MB, overall_gain, size_mb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from bench.environment import Environment
    from bench.rows import Row

_INCHES = (8.0, 5.0)
_PANEL_INCHES = (4.5, 3.2)
_PANELS_ABREAST = 2


def require(picture: Path) -> None:
    """Fail before the run, not after it, if ``picture`` cannot be drawn."""
    figure = _matplotlib().figure.Figure()
    known = figure.canvas.get_supported_filetypes()
    if picture.suffix.lstrip(".").lower() not in known:
        text = f"--plot {picture}: the name must end in one of {', '.join(sorted(known))}"
        raise BenchmarkError(text)


def draw(picture: Path, environment: Environment, rows: Sequence[Row]) -> None:
    """Write ``picture``, in the format that its name ends in."""
    figure = _matplotlib().figure.Figure(figsize=_INCHES, layout="constrained")
    axes = figure.subplots()
    for name in rows[0].timings:
        _line(axes, rows, [row.timings[name].mb_per_s for row in rows], name)
    axes.set_ylabel("MB/s")
    axes.legend()
    axes.set_title(str(environment), fontsize="small")
    figure.suptitle(f"speedcopy: {times(overall_gain(rows))} the speed of shutil overall")
    figure.savefig(picture)


def draw_gains(picture: Path, runs: Sequence[tuple[str, Sequence[Row]]]) -> None:
    """Write ``picture``: a panel for each run, how many times as fast as shutil each tool is."""
    down = -(-len(runs) // _PANELS_ABREAST)
    width, height = _PANEL_INCHES
    inches = (width * _PANELS_ABREAST, height * down)
    figure = _matplotlib().figure.Figure(figsize=inches, layout="constrained")
    panels = figure.subplots(down, _PANELS_ABREAST, sharex=True, sharey=True, squeeze=False).flat
    for axes, (title, rows) in zip(panels, runs):
        for name in rows[0].timings:
            _line(axes, rows, [row.gain() / row.gain(name) for row in rows], name)
        axes.set_title(title, fontsize="medium")
        axes.set_ylabel("times as fast as shutil")
        axes.label_outer()
    names = list(runs[0][1][0].timings)
    figure.legend(panels[0].get_lines(), names, loc="outside upper center", ncols=len(names))
    figure.savefig(picture)


def _line(axes: Any, rows: Sequence[Row], values: Sequence[float], name: str) -> None:  # noqa: ANN401 - matplotlib may not be installed
    sizes = [row.size / MB for row in rows]
    axes.plot(sizes, values, marker="o", label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [size_mb(row.size) for row in rows])
    axes.minorticks_off()
    axes.set_yscale("log")
    _label_in_full(axes.yaxis)
    axes.set_xlabel("size of the file (MB)")
    axes.grid(visible=True, which="both", alpha=0.3)


def _label_in_full(axis: Any) -> None:  # noqa: ANN401 - matplotlib may not be installed
    """Write 2000, not 2 x 10^3."""
    locator = needs.module("matplotlib.ticker").LogLocator(subs=(2, 5))
    axis.set_minor_locator(locator)
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("{x:g}")


def _matplotlib() -> ModuleType:
    """Load matplotlib, with the backend that needs no display."""
    matplotlib = needs.module("matplotlib")
    matplotlib.use("Agg")
    needs.module("matplotlib.figure")
    return matplotlib
