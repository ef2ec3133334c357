"""Client telemetry of KIP-714: what the broker would like to know, and what the client pushes.

The metrics inside are OpenTelemetry's protocol buffers, opaque here.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from mockbroker.protocol.schema import message
from mockbroker.protocol.types import ZERO_UUID, Bytes, Int8, Int16, Int32, Uuid


@message(api=71, versions="0", flexible="0+")
class GetTelemetrySubscriptionsRequest:
    """Ask which metrics to push; a zero id asks for a client instance id too."""

    client_instance_id: Uuid = ZERO_UUID


@message(api=71, versions="0", flexible="0+")
class GetTelemetrySubscriptionsResponse:
    """Answers GetTelemetrySubscriptionsRequest; no metrics means none, one empty name means all."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    client_instance_id: Uuid = ZERO_UUID
    subscription_id: Int32 = 0
    accepted_compression_types: list[Int8] = []
    push_interval_ms: Int32 = 0
    telemetry_max_bytes: Int32 = 0
    delta_temporality: bool = False
    requested_metrics: list[str] = []


@message(api=72, versions="0", flexible="0+")
class PushTelemetryRequest:
    """Push metrics."""

    client_instance_id: Uuid = ZERO_UUID
    subscription_id: Int32 = 0
    terminating: bool = False
    compression_type: Int8 = 0
    metrics: Bytes = b""


@message(api=72, versions="0", flexible="0+")
class PushTelemetryResponse:
    """Answers PushTelemetryRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
