from __future__ import annotations

import socket
import threading

import pytest

from mockbroker.server import sending
from mockbroker.server.sending import Part, send_now


@pytest.mark.parametrize("with_sendmsg", [True, False])
@pytest.mark.parametrize("count", [1, 2, 1024, 1025, 5000])
def test_any_number_of_parts_arrives_in_order(
    count: int, with_sendmsg: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_HAS_SENDMSG", with_sendmsg)
    parts: list[Part] = [
        (bytes, bytearray, memoryview)[n % 3](n.to_bytes(2, "big") * (1 + n % 7)) for n in range(count)
    ]
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        received = bytearray()
        reader = threading.Thread(target=lambda: received.extend(read_all(there)))
        reader.start()
        left = send_now(here, parts)
        while left:
            here.setblocking(True)
            here.send(left[0])
            left = left[1:]
            here.setblocking(False)
            left = send_now(here, left)
        here.shutdown(socket.SHUT_WR)
        reader.join()
    assert received == b"".join(parts)


def test_what_the_kernel_does_not_take_is_left_without_a_copy() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        small, large = b"small", bytes(20_000_000)
        left = send_now(here, [small, large])
        assert len(left) == 1
        rest = left[0]
        assert isinstance(rest, memoryview)
        assert rest.obj is large


def read_all(sock: socket.socket) -> bytes:
    data = bytearray()
    while chunk := sock.recv(65_536):
        data += chunk
    return bytes(data)
