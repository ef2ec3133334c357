"""Hands the parts of an answer to the kernel without joining what is large.

Stored batches go out as the very bytes that the log holds.  Knows the limits of `sendmsg`, and what to do
where there is none; never waits.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

Part = bytes | bytearray | memoryview

# The kernel takes no more buffers than this at once (IOV_MAX); 1024 on Linux, macOS and the BSDs.
PARTS_PER_CALL_MAX = 1024
_HAS_SENDMSG = hasattr(socket.socket, "sendmsg")  # Windows has none


def send_now(sock: socket.socket, parts: Sequence[Part]) -> Sequence[Part]:
    """Send as much as fits, and return what is left: nothing, if all is well."""
    while parts:
        try:
            sent = _send_some(sock, parts)
        except BlockingIOError:
            return parts
        parts = _after(parts, sent)
    return parts


def _send_some(sock: socket.socket, parts: Sequence[Part]) -> int:
    if _HAS_SENDMSG:
        return sock.sendmsg(parts if len(parts) <= PARTS_PER_CALL_MAX else parts[:PARTS_PER_CALL_MAX])
    return sock.send(parts[0] if len(parts) == 1 else b"".join(parts))


def _after(parts: Sequence[Part], sent: int) -> Sequence[Part]:
    """Give what remains when the first `sent` bytes are gone."""
    for index, part in enumerate(parts):
        if sent < len(part):
            return [memoryview(part)[sent:], *parts[index + 1 :]] if sent else parts[index:]
        sent -= len(part)
    return ()
