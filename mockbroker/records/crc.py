"""CRC-32C (Castagnoli), the checksum of a record batch.

Takes the `crc32c` package when it is installed (about 25 GB/s), else crcmod-plus (about 0.4 GB/s),
which every installation has.  Both are imported at the first checksum: the import of the fast one costs
more than many a test.  Knows nothing of batches.
"""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections.abc import Callable

Buffer = bytes | bytearray | memoryview
Checksum = Callable[[Buffer], int]


def crc32c(data: Buffer) -> int:
    """The CRC-32C of `data` as an unsigned number."""
    return implementation()(data)


@functools.cache
def implementation() -> Checksum:
    """The fastest checksum that this installation has; chosen once."""
    try:
        fast: Checksum = importlib.import_module("crc32c").crc32c
    except ImportError:
        return crcmod_checksum()
    return fast


def crcmod_checksum() -> Checksum:
    """The checksum of crcmod-plus, with a warning when only its pure Python form is there."""
    checksum: Checksum = importlib.import_module("crcmod.predefined").mkCrcFun("crc-32c")
    # crcmod falls back to Python in silence when it was built without a compiler, and then a produce
    # of 1 MiB takes 100 ms: the user should hear why.
    if not getattr(sys.modules.get("crcmod.crcmod"), "_usingExtension", True):
        warnings.warn(
            "crcmod has no C extension here, so checksums are about 40 times slower: install "
            "crcmod-plus (not crcmod) or mockbroker[fast]",
            RuntimeWarning,
            stacklevel=2,
        )
    return checksum
