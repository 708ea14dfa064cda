"""The C boundary: ``native/speedcopy.h`` and the header of the platform as Python sees them."""

from collections.abc import Callable
from typing import Any, NewType, Protocol

CData = NewType("CData", object)

class Report(Protocol):
    """An ``sc_report *``: how the copy was made."""

    copied: int
    mechanism: int
    offloaded: int
    declined: list[int]
    refused: list[int]

class Batch(Protocol):
    """An ``sc_batch *``: how far a call for many files has come."""

    copied: int
    done: int
    last: Report

class _FFI(Protocol):
    NULL: CData

    def new(self, ctype: str, init: object = ...) -> Any: ...
    def string(self, chars: CData) -> bytes: ...
    def getwinerror(self, code: int) -> tuple[int, str]: ...
    def new_handle(self, obj: object) -> CData: ...
    def from_handle(self, handle: CData) -> Any: ...
    def def_extern(
        self, *, error: int, onerror: Callable[[Any, Any, Any], None]
    ) -> Callable[[Callable[[CData, int, int], int]], object]: ...

class _Lib(Protocol):
    def __getattr__(self, name: str) -> int: ...  # the constants of the headers
    def sc_load_copyfile2(self, library: str) -> int: ...
    def sc_copy(
        self,
        caller: CData,
        src: str | bytes,
        dst: str | bytes,
        flags: int,
        report: Report | CData,
    ) -> int: ...
    def sc_copy_names(
        self,
        caller: CData,
        src: bytes,
        dst: bytes,
        names: bytes,
        count: int,
        flags: int,
        batch: Batch,
    ) -> int: ...
    def sc_mechanism_name(self, row: int) -> CData: ...

ffi: _FFI
lib: _Lib
