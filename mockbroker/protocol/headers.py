"""What comes before a body: the request header, the response header, and the size of the whole.

A header's layout depends on whether the (key, version) is flexible, which is the only thing asked of the
messages here.  Whether a broker serves that key or version is for others to decide, so a header of an unknown
key is read too, in the oldest layout, which every broker can.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from mockbroker.protocol.apis import Api
from mockbroker.protocol.codec import encode
from mockbroker.protocol.compile_decoder import skip_tags
from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.types import BytesLike

Parts = list[bytes | memoryview]

_HEAD = struct.Struct(">hhi")
_LENGTH = struct.Struct(">h")
_SIZE_AND_ID = struct.Struct(">ii")
_SIZE_ID_TAGS = struct.Struct(">iix")

# The head is copied together with a first part smaller than this, which saves a buffer in `sendmsg`.
JOIN_BELOW = 4096

# For each key, the first flexible version; beyond every version where there is none.
_NEVER = 0x8000
_flexible_from: dict[int, int] = {}


class RequestHeader(NamedTuple):
    """Who asks what, in which version.  A client id that is null reads as empty, as in Kafka."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str


def read_header(frame: BytesLike) -> tuple[RequestHeader, int]:
    """The header of a request, and where its body begins."""
    try:
        return _read(frame)
    except (IndexError, struct.error):
        raise MalformedMessage(f"a frame of {len(frame)} bytes ends within its request header") from None
    except UnicodeDecodeError as wrong:
        raise MalformedMessage(f"the client id is not UTF-8: {wrong}") from None


def _read(frame: BytesLike) -> tuple[RequestHeader, int]:
    key, version, correlation_id = _HEAD.unpack_from(frame)
    if key == Api.CONTROLLED_SHUTDOWN and version == 0:
        # The oldest header of all: this one request in this one version never had a client id.
        return RequestHeader(key, version, correlation_id, ""), _HEAD.size
    (length,) = _LENGTH.unpack_from(frame, _HEAD.size)
    at = _HEAD.size + _LENGTH.size
    client_id = ""
    if length > 0:
        if at + length > len(frame):
            raise MalformedMessage(f"a client id of {length} bytes in a frame of {len(frame)}")
        client_id = str(frame[at : at + length], "utf-8")
        at += length
    elif length < -1:
        raise MalformedMessage(f"the client id has the length {length}")
    if is_flexible(key, version):
        at = skip_tags(frame, at) if frame[at] else at + 1
    return RequestHeader(key, version, correlation_id, client_id), at


def is_flexible(api_key: int, version: int) -> bool:
    """Whether this version of the request and its response is in the compact encoding."""
    first = _flexible_from.get(api_key)
    if first is None:
        first = _first_flexible(api_key)
    return version >= first


def _first_flexible(api_key: int) -> int:
    """Looked up in the declarations once per key; an unknown key is read as the oldest versions are."""
    try:
        api = Api(api_key)
    except ValueError:
        return _NEVER
    first = api.flexible_from if api.declared else None
    _flexible_from[api_key] = _NEVER if first is None else first
    return _flexible_from[api_key]


def response_head(api_key: int, version: int, correlation_id: int, body_size: int = 0) -> bytes:
    """The size prefix and the response header for a body of this size.

    ApiVersions always gets the oldest header: a client reads it before it knows what the broker can do.
    """
    if api_key != Api.API_VERSIONS and is_flexible(api_key, version):
        return _SIZE_ID_TAGS.pack(body_size + 5, correlation_id)
    return _SIZE_AND_ID.pack(body_size + 4, correlation_id)


def seal(api_key: int, version: int, correlation_id: int, response: Any) -> Parts:
    """A response ready to be sent: size, header and body as parts, stored batches by reference."""
    return seal_parts(api_key, version, correlation_id, encode(response, version))


def seal_parts(api_key: int, version: int, correlation_id: int, body: Parts) -> Parts:
    """The same for a body that is encoded already (an ApiVersions answer in version 0, say)."""
    head = response_head(api_key, version, correlation_id, sum(map(len, body)))
    if body and len(body[0]) < JOIN_BELOW:
        return [head + body[0], *body[1:]]
    return [head, *body]


def write_request(header: RequestHeader, body: Sequence[BytesLike]) -> bytes:
    """A whole request frame without its size, as a client would send it: for tests and simulations."""
    client_id = header.client_id.encode()
    head = _HEAD.pack(header.api_key, header.api_version, header.correlation_id)
    head += _LENGTH.pack(len(client_id)) + client_id
    return head + (b"\x00" if is_flexible(header.api_key, header.api_version) else b"") + b"".join(body)
