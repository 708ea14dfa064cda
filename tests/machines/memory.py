"""Where things are in the memory of an emulated machine."""

#: Addresses. Pages that are not mapped lie between these, so that an access beyond one is noticed.
IMAGE = 0x1_0000_0000
TRAPS = 0x2_0000_0000
STACK = 0x3_0000_0000
HEAP = 0x4_0000_0000

STACK_SIZE = 1 << 20
HEAP_SIZE = 8 << 20
PAGE = 1 << 12


class ModelError(BaseException):
    """The code did what no program for macOS may do. No test may catch this as a copy's error."""
