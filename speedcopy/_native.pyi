"""The C boundary: ``native/speedcopy.h`` (and, on Linux, ``native/linux.h``) as Python sees it."""

from collections.abc import Callable
from typing import Any, Final, NewType, Optional, Protocol

CData = NewType("CData", object)

class Report(Protocol):
    """``sc_report *``"""

    copied: int
    mechanism: int
    declined: list[int]

class _FFI(Protocol):
    NULL: CData

    def new(self, ctype: str) -> Any: ...
    def string(self, chars: CData) -> bytes: ...
    def new_handle(self, obj: object) -> CData: ...
    def from_handle(self, handle: CData) -> Any: ...
    def def_extern(
        self, *, error: int, onerror: Callable[[Any, Optional[BaseException], Any], None]
    ) -> Callable[[Callable[[CData, int, int], int]], object]: ...

class _Lib(Protocol):
    SC_REFLINK_ALWAYS: Final = 1
    SC_REFLINK_NEVER: Final = 2
    SC_KEEP_HOLES: Final = 4
    SC_AT_SRC: Final = 0x10000
    SC_AT_DST: Final = 0x20000
    SC_AT_BOTH: Final = 0x30000
    SC_SAME_FILE: Final = 0x7001
    SC_NAMED_PIPE: Final = 0x7002
    SC_CHARACTER_DEVICE: Final = 0x7003
    SC_NO_DATA: Final = 0x7004
    SC_MAX_MECHANISMS: Final = 8
    FICLONE: int
    CIFS_IOC_COPYCHUNK_FILE: int

    def sc_copy(
        self, src: bytes, dst: bytes, flags: int, progress: CData, report: Report | CData
    ) -> int: ...
    def sc_mechanism_name(self, row: int) -> CData: ...

ffi: _FFI
lib: _Lib
