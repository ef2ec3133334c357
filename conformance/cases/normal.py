"""Answers without what differs from run to run: ids, ports and times become symbols, nothing is left out.

A symbol is numbered by its first appearance in the case, so "the same id as before" and "another one" are
still told apart.  Lists whose order Kafka does not promise are sorted.  Texts of messages are replaced by
one word, for only their presence is protocol.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from conformance.cases import batches

NO_UUID = "00000000-0000-0000-0000-000000000000"

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# KIP-848 and share groups write their ids as 22 characters of base64url.
_TEXTS = ("error_message", "batch_index_error_message")
# An hour is far beyond any case's length, and far below the distance of times that cases choose as odd.
_NEAR_MS = 3_600_000
# Times that a case gives lie in this long a stretch that begins at its own time zero.
CHOSEN_MS = 100_000

# Lists of numbers that are sets: of nodes wherever they are, and of one API's partitions.
_SETS = ("isr_nodes",)
_SETS_OF: tuple[tuple[str, str], ...] = (("DescribeTransactions", "partitions"),)
# Where Kafka gives sets as lists: (API, field) -> what to sort by.
_UNORDERED: dict[tuple[str, str], tuple[str, ...]] = {
    ("Metadata", "brokers"): ("node_id",),
    ("Metadata", "topics"): ("name",),
    ("Metadata", "partitions"): ("partition_index",),
    ("DescribeCluster", "brokers"): ("broker_id",),
    ("DescribeTopicPartitions", "topics"): ("name",),
    ("DescribeGroups", "members"): ("group_instance_id", "member_metadata"),
    ("JoinGroup", "members"): ("group_instance_id", "metadata"),
    ("ListGroups", "groups"): ("group_id",),
    ("DeleteGroups", "results"): ("group_id",),
    ("OffsetCommit", "topics"): ("name",),
    ("OffsetDelete", "topics"): ("name",),
    ("OffsetDelete", "partitions"): ("partition_index",),
    ("OffsetFetch", "topics"): ("name",),
    ("OffsetFetch", "partitions"): ("partition_index",),
    ("OffsetFetch", "groups"): ("group_id",),
    ("OffsetForLeaderEpoch", "topics"): ("topic",),
    ("ListOffsets", "topics"): ("name",),
    ("ListOffsets", "partitions"): ("partition_index",),
    ("Fetch", "node_endpoints"): ("node_id",),
    ("Produce", "node_endpoints"): ("node_id",),
    ("Produce", "responses"): ("name", "topic_id"),
    ("Produce", "partition_responses"): ("index",),
    ("AddPartitionsToTxn", "results_by_topic_v3_and_below"): ("name",),
    ("AddPartitionsToTxn", "results_by_partition"): ("partition_index",),
    ("AddPartitionsToTxn", "results_by_transaction"): ("transactional_id",),
    ("AddPartitionsToTxn", "topic_results"): ("name",),
    ("WriteTxnMarkers", "markers"): ("producer_id",),
    ("WriteTxnMarkers", "topics"): ("name",),
    ("WriteTxnMarkers", "partitions"): ("partition_index",),
    ("DescribeProducers", "active_producers"): ("producer_id",),
    ("DescribeTransactions", "topics"): ("topic",),
    ("ListTransactions", "transaction_states"): ("transactional_id", "producer_id"),
    ("CreateTopics", "topics"): ("name",),
    ("CreateTopics", "configs"): ("name",),
    ("DeleteTopics", "responses"): ("name",),
    ("DescribeConfigs", "configs"): ("name",),
    ("ApiVersions", "supported_features"): ("name",),
    ("ApiVersions", "finalized_features"): ("name",),
}


class Symbols:
    """One case's way from values to symbols."""

    def __init__(self, names: Mapping[str, str], zero_ms: int, ports: Mapping[int, int]) -> None:
        """`names`: what the case made up, and what it calls it.  `ports`: of the brokers, by node."""
        # Longest first: a name may be part of another.
        self._names = sorted(names.items(), key=lambda pair: -len(pair[0]))
        self._zero_ms = zero_ms
        self._ports = {port: f"<port of {node}>" for node, port in ports.items()}
        self._numbered: dict[tuple[str, Any], str] = {}
        self._fields: dict[str, Callable[[Any], Any]] = {
            "port": lambda value: self._ports.get(value, value),
            "cluster_id": lambda value: value and "<cluster>",
            "controller_id": lambda value: "<a broker>" if value > 0 else value,
            "finalized_features_epoch": lambda value: "<epoch>" if value >= 0 else value,
            "producer_id": lambda value: self._symbol("producer id", value) if value >= 0 else value,
            "session_id": lambda value: self._symbol("session", value) if value > 0 else value,
        }

    def normal(self, api: str, answer: Any) -> Any:
        """An answer of this API in its comparable form."""
        return self._value(api, "", answer)

    def _value(self, api: str, field: str, value: Any) -> Any:
        if isinstance(value, dict):
            if field == "api" and value.keys() == {"api_key", "min_version", "max_version"}:
                return "{api_key}: {min_version}-{max_version}".format(**value)
            return {name: self._value(api, name, inner) for name, inner in value.items()}
        if field == "api_keys":
            # One line would be three pages; nothing is lost, not even the order.
            return [self._value(api, "api", each) for each in value]
        if field in _TEXTS:
            return "<text>" if value else value
        if field == "records" and isinstance(value, bytes):
            return self._value(api, "batches", batches.read(value))
        if isinstance(value, list):
            if field in _SETS or (api, field) in _SETS_OF:
                return sorted(value)
            by = _UNORDERED.get((api, field))
            given = value if by is None else sorted(value, key=lambda each: _sort_key(each, by))
            return [self._value(api, "", each) for each in given]
        if value is not None and field in self._fields:
            return self._fields[field](value)
        return self._leaf(value)

    def _leaf(self, value: Any) -> Any:
        if isinstance(value, bytes):
            # Bytes that are a text, as the metadata of our members is, read best as one.
            return self._text(value.decode()) if value.isascii() and value.isalnum() else f"0x{value.hex()}"
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return self._number(value)
        return value

    def _text(self, text: str) -> str:
        for made, meant in self._names:
            text = text.replace(made, meant)
        return _UUID.sub(lambda at: at[0] if at[0] == NO_UUID else self._symbol("uuid", at[0]), text)

    def _number(self, number: int) -> int | str:
        """Times: what the case chose by its distance from time zero, what a broker read from its clock."""
        if self._zero_ms <= number < self._zero_ms + CHOSEN_MS:
            return f"<zero+{number - self._zero_ms}>"
        if abs(number - self._zero_ms) < _NEAR_MS:
            return "<now>"
        return number

    def _symbol(self, kind: str, value: Any) -> str:
        key = (kind, value)
        if key not in self._numbered:
            count = sum(known == kind for known, _ in self._numbered)
            self._numbered[key] = f"<{kind} {count + 1}>"
        return self._numbered[key]


def _sort_key(each: Any, by: tuple[str, ...]) -> str:
    """Made-up parts of names come last in them, so names sort the same in every run."""
    return json.dumps([_sortable(each.get(field)) for field in by])


def _sortable(value: Any) -> str:
    """Numbers by their size: those that brokers give away are bigger in one run than in another."""
    return f"{value:020d}" if isinstance(value, int) else repr(value)
