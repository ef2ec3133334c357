"""`FrameReader`: whatever the segments, the same frames; whatever the sizes, no harm."""

import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.frames import (
    BUFFER_BYTES,
    FIRST_STEP_BYTES,
    FRAME_BYTES_MAX,
    FrameReader,
    FrameTooLarge,
)


def sized(*contents: bytes) -> bytes:
    """Frames as a client sends them."""
    return b"".join(struct.pack(">i", len(content)) + content for content in contents)


AROUND_THE_BUFFER = [BUFFER_BYTES + more for more in (-5, -4, -3, 0, 1)]
SIZES = st.sampled_from([0, 1, 3, 4, 100, *AROUND_THE_BUFFER, 200_000])


@given(st.lists(SIZES, max_size=5), st.lists(st.integers(1, 150_000), min_size=1, max_size=9))
@settings(max_examples=50)
def test_frames_do_not_depend_on_how_the_bytes_were_cut(sizes: list[int], cuts: list[int]) -> None:
    contents = [bytes([at + 1]) * size for at, size in enumerate(sizes)]
    stream = memoryview(sized(*contents))
    reader, frames, turn = FrameReader(), [], 0
    while stream:
        count = cuts[turn % len(cuts)]
        turn += 1
        frames += reader.feed(stream[:count])
        stream = stream[count:]
    assert frames == contents
    assert not reader.pending


def test_a_frame_may_come_byte_by_byte() -> None:
    reader = FrameReader()
    stream = sized(b"first", b"", b"last")
    arrived = [reader.feed(stream[at : at + 1]) for at in range(len(stream))]
    assert [frame for frames in arrived for frame in frames] == [b"first", b"", b"last"]
    assert arrived[8] == [b"first"]


def test_several_frames_may_come_in_one_segment() -> None:
    assert FrameReader().feed(sized(b"one", b"two", b"three")) == [b"one", b"two", b"three"]


def test_received_bytes_are_taken_where_they_were_put() -> None:
    reader = FrameReader()
    stream = sized(b"in place")
    reader.space()[: len(stream)] = stream
    assert reader.received(len(stream)) == [b"in place"]


def test_a_frame_does_not_change_when_more_is_received() -> None:
    reader = FrameReader()
    (first,) = reader.feed(sized(b"keep me"))
    reader.feed(sized(b"overwri"))
    assert first == b"keep me"


def test_a_half_received_frame_is_pending() -> None:
    reader = FrameReader()
    pending = [reader.pending]
    for some in (b"\x00\x00", b"\x00\x01x", struct.pack(">i", 500_000)):
        reader.feed(some)
        pending.append(reader.pending)
    assert pending == [False, True, False, True]


def test_a_large_frame_is_received_in_a_buffer_of_its_own() -> None:
    reader = FrameReader()
    reader.feed(struct.pack(">i", 100_000))
    space = reader.space()
    assert len(space) == 100_000
    space[:] = b"z" * 100_000
    (frame,) = reader.received(100_000)
    assert isinstance(frame, bytearray)
    assert frame == b"z" * 100_000
    assert memoryview(frame).obj is frame


def test_space_never_reaches_beyond_a_large_frame() -> None:
    """What follows a large frame must not be received into it."""
    reader = FrameReader()
    reader.feed(struct.pack(">i", BUFFER_BYTES) + b"a" * 100)
    assert len(reader.space()) == BUFFER_BYTES - 100


def test_a_huge_frame_that_never_comes_costs_what_came() -> None:
    reader = FrameReader()
    tracemalloc.start()
    reader.feed(struct.pack(">i", FRAME_BYTES_MAX) + b"and then nothing")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2 * FIRST_STEP_BYTES
    assert reader.pending


def test_a_huge_frame_grows_as_it_arrives() -> None:
    reader = FrameReader()
    size = 5 * FIRST_STEP_BYTES + 3
    stream = memoryview(sized(bytes(size)))
    frames, largest = [], 0
    while stream:
        space = reader.space()
        count = min(len(space), len(stream), 100_000)
        largest = max(largest, len(space))
        space[:count] = stream[:count]
        frames += reader.received(count)
        stream = stream[count:]
    assert [len(frame) for frame in frames] == [size]
    assert largest < size


def test_the_limit_itself_is_allowed() -> None:
    reader = FrameReader(limit=10)
    assert reader.feed(sized(b"x" * 10)) == [b"x" * 10]
    with pytest.raises(FrameTooLarge, match="a frame of 11 bytes, and 10 is the most"):
        reader.feed(sized(b"x" * 11))


def test_the_limit_may_change_once_a_peer_is_known() -> None:
    reader = FrameReader(limit=4)
    reader.feed(sized(b"auth"))
    reader.limit = 100
    assert reader.feed(sized(b"authenticated")) == [b"authenticated"]


@pytest.mark.parametrize("size", [-1, -(2**31)])
def test_a_negative_size_is_malformed(size: int) -> None:
    with pytest.raises(MalformedMessage, match=f"a frame of {size} bytes"):
        FrameReader().feed(struct.pack(">i", size))


@pytest.mark.parametrize("size", [2**31 - 1, 352_518_912, FRAME_BYTES_MAX + 1])
def test_an_absurd_size_is_refused_before_it_costs_anything(size: int) -> None:
    reader = FrameReader()
    tracemalloc.start()
    with pytest.raises(FrameTooLarge):
        reader.feed(struct.pack(">i", size))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 1024


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP request"),
        (b"POST /v1/gates", "HTTP request"),
        (b"PRI * HTTP/2.0", "HTTP/2"),
        (b"SSH-2.0-OpenSSH", "SSH"),
        (b"\x16\x03\x01\x02\x00\x01", "TLS handshake"),
    ],
)
def test_other_protocols_are_recognised(start: bytes, what: str) -> None:
    with pytest.raises(FrameTooLarge, match=what):
        FrameReader().feed(start)


def test_good_frames_before_a_bad_size_are_given_first() -> None:
    reader = FrameReader(limit=100)
    frames = reader.feed(sized(b"one", b"two") + struct.pack(">i", 101))
    assert frames == [b"one", b"two"]
    assert isinstance(reader.refusal, FrameTooLarge)
    with pytest.raises(FrameTooLarge):
        reader.received(0)


def test_an_idle_reader_holds_little_memory_and_a_busy_one_grows() -> None:
    reader = FrameReader()
    assert len(reader.space()) <= 4096
    reader.feed(sized(b"x" * 30_000))
    assert len(reader.space()) > 4096
