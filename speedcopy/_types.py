"""What callers hand in."""

import os  # noqa: TC003 (the union below is evaluated)
from typing import Callable, Literal, TypeVar, Union

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
PathT = TypeVar("PathT", bound=Path)

#: Called with bytes copied and bytes in all.
Progress = Callable[[int, int], object]

Reflink = Literal["auto", "always", "never"]
