"""Ends with the process that started this one, however that one ends: no orphaned servers on a build machine.

On Linux the kernel does it (PR_SET_PDEATHSIG).  Elsewhere the parent keeps our standard input open, and its
end is the parent's end.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import trio

_PR_SET_PDEATHSIG = 1
_READ_SIZE = 4096


def die_with_parent() -> bool:
    """Have the kernel send SIGTERM when the parent dies.  False where it cannot, or where it is too late.

    Linux means the parent's *thread* that started us: who starts a server from a thread keeps that alive.
    """
    parent = os.getppid()
    if sys.platform != "linux":
        return False
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        return False
    # It may have died between our first line and this one; then nobody will send anything any more.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
    return True


async def wait_until_input_ends() -> None:
    """Return when standard input is at its end."""

    def read_to_end() -> None:
        while os.read(0, _READ_SIZE):
            pass

    await trio.to_thread.run_sync(read_to_end, abandon_on_cancel=True)
