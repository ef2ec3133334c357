"""The refusal of produced records that has something to say to the producer.

Knows what Kafka puts into a Produce answer beside the code; does not know why records are refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from mockbroker.protocol.errors import ErrorCode, KafkaError


class RecordsRefused(KafkaError):
    """Refused, with an `error_message` (its `message`) and perhaps `record_errors` for the answer.

    Kafka leaves both empty for most reasons.  So the text of a plain `KafkaError` is for people who read
    logs and stays out of the answer; the text of this one goes into it (from Produce v8 on).
    """

    def __init__(self, code: ErrorCode, message: str, record_errors: Sequence[tuple[int, str]] = ()) -> None:
        super().__init__(code, message)
        self.record_errors = list(record_errors)
