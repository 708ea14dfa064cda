"""The C boundary: ``native/speedcopy.h`` and the header of the platform as Python sees them."""

from collections.abc import Callable
from typing import Any, NewType, Protocol

CData = NewType("CData", object)

class Report(Protocol):
    """What happened, an ``sc_report *``."""

    copied: int
    mechanism: int
    offloaded: int
    declined: list[int]

class _FFI(Protocol):
    NULL: CData

    def new(self, ctype: str) -> Any: ...
    def string(self, chars: CData) -> bytes: ...
    def getwinerror(self, code: int) -> tuple[int, str]: ...
    def new_handle(self, obj: object) -> CData: ...
    def from_handle(self, handle: CData) -> Any: ...
    def def_extern(
        self, *, error: int, onerror: Callable[[Any, Any, Any], None]
    ) -> Callable[[Callable[[CData, int, int], int]], object]: ...

class _Lib(Protocol):
    SC_REFLINK_ALWAYS: int
    SC_REFLINK_NEVER: int
    SC_KEEP_HOLES: int
    SC_TELL_END: int
    SC_AT_SRC: int
    SC_AT_DST: int
    SC_AT_BOTH: int
    SC_LEAVE_IT: int
    SC_SAME_FILE: int
    SC_NAMED_PIPE: int
    SC_CHARACTER_DEVICE: int
    SC_NO_DATA: int
    SC_STOPPED: int
    SC_MAX_MECHANISMS: int
    FICLONE: int
    FICLONERANGE: int
    FIDEDUPERANGE: int
    CIFS_IOC_COPYCHUNK_FILE: int
    CIFS_IOC_GET_MNT_INFO: int
    SC_ALLOW_DECRYPTED_DESTINATION: int
    SC_SKIP_ALTERNATE_STREAMS: int
    SC_KEPT_ATTRIBUTES: int

    def sc_load(self, library: str) -> int: ...
    def sc_copy(
        self,
        src: str | bytes,
        dst: str | bytes,
        flags: int,
        caller: CData,
        report: Report | CData,
    ) -> int: ...
    def sc_mechanism_name(self, row: int) -> CData: ...

ffi: _FFI
lib: _Lib
