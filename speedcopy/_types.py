"""The types of the arguments."""

import os  # noqa: TC003 (the union below is evaluated)
from typing import Callable, Literal, TypeVar, Union

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
PathT = TypeVar("PathT", bound=Path)

#: Called with the bytes copied and the bytes in total.
Progress = Callable[[int, int], object]

#: Which metadata is copied, and whether a refusal is an error.
Metadata = Literal["strict", "best-effort", "times"]

Reflink = Literal["auto", "always", "never"]
