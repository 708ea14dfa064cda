"""The types of the arguments."""

import os  # noqa: TC003 (the union below is evaluated)
from typing import Callable, Literal, NamedTuple, TypeVar, Union

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
PathT = TypeVar("PathT", bound=Path)

#: Called with the bytes copied and the bytes in total.
Progress = Callable[[int, int], object]


class Done(NamedTuple):
    """How much of a tree has been copied: files and links, without those that failed; bytes."""

    files: int
    bytes: int


#: Called with what is done of a tree.
TreeProgress = Callable[[Done], object]

#: Which metadata is copied, and whether a refusal is an error.
Metadata = Literal["strict", "best-effort", "times"]

Reflink = Literal["auto", "always", "never"]
