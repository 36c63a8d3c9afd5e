"""What the zygote has made is there for good: its reference counts stand still, so that kernels which use it copy no pages.

A kernel shares its memory with the zygote until it writes, and to use an object is to count: without this, calling a function
copies the page that it lies on. CPython 3.12 and 3.13 never change a count like that of ``None`` (PEP 683), also where it is given
to others.
"""

import ctypes
import gc
import sys
from collections.abc import Iterator
from types import CodeType

#: As far as user space goes on x86-64 and arm64.
_ADDRESSES = 2**48
_COUNT_BYTES = 4
#: The count of what is there for good, ``_Py_IMMORTAL_REFCNT``.
_IMMORTAL = 2**32 - 1
#: What has no more than its value: nothing happens when the last of its users lets it go.
_CONTENTS = frozenset({str, bytes, int, float, complex, tuple, CodeType})
#: Objects whose contents are kept at once.
_STEP = 1_000


def keep() -> None:
    """Keeps all objects that are there for good: nobody counts them, and no collection looks at them.

    Calls that are under way go on as ever: the collector knows a frame only when its call is over.
    """
    if _can_be_immortal():
        objects = gc.get_objects()
        counts = _counts()
        for known in objects:
            counts[id(known) // _COUNT_BYTES] = _IMMORTAL
    gc.freeze()


def keep_contents() -> Iterator[None]:
    """Keeps what those objects hold and the collector does not know: strings, numbers, code. A kernel copies a seventh fewer pages
    for it. It is much (30 ms), so it is done in steps of a millisecond, between which others may have their turn.
    """
    if not _can_be_immortal():
        return
    gc.unfreeze()
    objects = gc.get_objects()
    gc.freeze()
    counts = _counts()
    for start in range(0, len(objects), _STEP):
        for held in gc.get_referents(*objects[start : start + _STEP]):
            if type(held) in _CONTENTS:
                counts[id(held) // _COUNT_BYTES] = _IMMORTAL
        yield


def _counts() -> memoryview:
    """The memory of this process, as counts of 32 bits: an object begins with its own."""
    return memoryview((ctypes.c_ubyte * _ADDRESSES).from_address(0)).cast("B").cast("I")


def _can_be_immortal() -> bool:
    """Whether this Python leaves such counts alone: as it is CPython 3.12 or 3.13, has its lock, on a little-endian machine of 64 bits.

    A newer one looks at more than the count.
    """
    if sys.implementation.name != "cpython" or not (3, 12) <= sys.version_info < (3, 14) or "t" in sys.abiflags:
        return False
    return sys.byteorder == "little" and sys.maxsize > 2**32 and sys.getrefcount(None) == _IMMORTAL
