"""`decode` and `encode`: the two doors between bytes and messages.

Each (message, version) gets a flat Python function, written and compiled when first used, so handlers stay
free of versions: the decoder sets the defaults of fields that the version lacks, the encoder leaves them out.
Decoding trusts nothing and raises only `MalformedMessage`; encoding trusts its caller.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from mockbroker.protocol.compile_decoder import compile_decoder
from mockbroker.protocol.compile_encoder import compile_encoder
from mockbroker.protocol.errors import MalformedMessage
from mockbroker.protocol.types import BytesLike

M = TypeVar("M")
Decoder = Callable[[Any, int], Any]
Encoder = Callable[[Any], list[bytes | memoryview]]

_decoders: dict[tuple[type[Any], int], Decoder] = {}
_encoders: dict[tuple[type[Any], int], Encoder] = {}


def decode(message_type: type[M], version: int, buffer: BytesLike, at: int = 0) -> M:
    """Read one message that starts `at` this place.  Bytes after its end are ignored, as Kafka does.

    Record fields are memoryviews of `buffer` (a memoryview as buffer is copied first).
    """
    decoder = _decoders.get((message_type, version))
    if decoder is None:
        decoder = _decoders[message_type, version] = compile_decoder(message_type, version)
    if isinstance(buffer, memoryview):
        buffer = bytes(buffer)
    try:
        message: M = decoder(buffer, at)
    except (IndexError, struct.error):
        raise MalformedMessage(
            f"{message_type.__name__} v{version}: the bytes end in the middle ({len(buffer) - at} of them)"
        ) from None
    except UnicodeDecodeError as wrong:
        raise MalformedMessage(
            f"{message_type.__name__} v{version}: a string is not UTF-8: {wrong}"
        ) from None
    except MalformedMessage as wrong:
        raise MalformedMessage(f"{message_type.__name__} v{version}: {wrong}") from None
    return message


def encode(message: Any, version: int) -> list[bytes | memoryview]:
    """Write one message as a list of parts.

    Record fields stay the objects they were, as parts of their own: they are never copied or joined unless
    they are small.  A null that the version cannot say is written as empty.
    """
    encoder = _encoders.get((type(message), version))
    if encoder is None:
        encoder = _encoders[type(message), version] = compile_encoder(type(message), version)
    try:
        return encoder(message)
    except (struct.error, AttributeError, TypeError, IndexError, OverflowError) as wrong:
        raise AssertionError(f"not encodable as v{version}: {wrong}: {message!r}") from wrong
