"""Every API key by name, and the way from a key to its two message classes.

Message modules are imported when a class of theirs is first asked for: knowing the keys costs nothing.  Keys
that only brokers say to each other are named here too (a fault or a history may mention them), but have no
messages.
"""

from __future__ import annotations

import difflib
from enum import IntEnum
from importlib import import_module
from typing import Any, Final

from mockbroker.protocol.schema import schema_of


class Api(IntEnum):
    """Every API key up to Kafka 4.4."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    LEADER_AND_ISR = 4
    STOP_REPLICA = 5
    UPDATE_METADATA = 6
    CONTROLLED_SHUTDOWN = 7
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    SASL_HANDSHAKE = 17
    API_VERSIONS = 18
    CREATE_TOPICS = 19
    DELETE_TOPICS = 20
    DELETE_RECORDS = 21
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    WRITE_TXN_MARKERS = 27
    TXN_OFFSET_COMMIT = 28
    DESCRIBE_ACLS = 29
    CREATE_ACLS = 30
    DELETE_ACLS = 31
    DESCRIBE_CONFIGS = 32
    ALTER_CONFIGS = 33
    ALTER_REPLICA_LOG_DIRS = 34
    DESCRIBE_LOG_DIRS = 35
    SASL_AUTHENTICATE = 36
    CREATE_PARTITIONS = 37
    CREATE_DELEGATION_TOKEN = 38
    RENEW_DELEGATION_TOKEN = 39
    EXPIRE_DELEGATION_TOKEN = 40
    DESCRIBE_DELEGATION_TOKEN = 41
    DELETE_GROUPS = 42
    ELECT_LEADERS = 43
    INCREMENTAL_ALTER_CONFIGS = 44
    ALTER_PARTITION_REASSIGNMENTS = 45
    LIST_PARTITION_REASSIGNMENTS = 46
    OFFSET_DELETE = 47
    DESCRIBE_CLIENT_QUOTAS = 48
    ALTER_CLIENT_QUOTAS = 49
    DESCRIBE_USER_SCRAM_CREDENTIALS = 50
    ALTER_USER_SCRAM_CREDENTIALS = 51
    VOTE = 52
    BEGIN_QUORUM_EPOCH = 53
    END_QUORUM_EPOCH = 54
    DESCRIBE_QUORUM = 55
    ALTER_PARTITION = 56
    UPDATE_FEATURES = 57
    ENVELOPE = 58
    FETCH_SNAPSHOT = 59
    DESCRIBE_CLUSTER = 60
    DESCRIBE_PRODUCERS = 61
    BROKER_REGISTRATION = 62
    BROKER_HEARTBEAT = 63
    UNREGISTER_BROKER = 64
    DESCRIBE_TRANSACTIONS = 65
    LIST_TRANSACTIONS = 66
    ALLOCATE_PRODUCER_IDS = 67
    CONSUMER_GROUP_HEARTBEAT = 68
    CONSUMER_GROUP_DESCRIBE = 69
    CONTROLLER_REGISTRATION = 70
    GET_TELEMETRY_SUBSCRIPTIONS = 71
    PUSH_TELEMETRY = 72
    ASSIGN_REPLICAS_TO_DIRS = 73
    LIST_CONFIG_RESOURCES = 74
    DESCRIBE_TOPIC_PARTITIONS = 75
    SHARE_GROUP_HEARTBEAT = 76
    SHARE_GROUP_DESCRIBE = 77
    SHARE_FETCH = 78
    SHARE_ACKNOWLEDGE = 79
    ADD_RAFT_VOTER = 80
    REMOVE_RAFT_VOTER = 81
    UPDATE_RAFT_VOTER = 82
    INITIALIZE_SHARE_GROUP_STATE = 83
    READ_SHARE_GROUP_STATE = 84
    WRITE_SHARE_GROUP_STATE = 85
    DELETE_SHARE_GROUP_STATE = 86
    READ_SHARE_GROUP_STATE_SUMMARY = 87
    STREAMS_GROUP_HEARTBEAT = 88
    STREAMS_GROUP_DESCRIBE = 89
    DESCRIBE_SHARE_GROUP_OFFSETS = 90
    ALTER_SHARE_GROUP_OFFSETS = 91
    DELETE_SHARE_GROUP_OFFSETS = 92
    STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE = 93
    UNREGISTER_CONTROLLER = 94

    @classmethod
    def named(cls, name: str | Api) -> Api:
        """The API of this name, as `JoinGroup` or `JOIN_GROUP`; an API is taken as it is."""
        if isinstance(name, Api):
            return name
        found = cls.__members__.get(name) or _BY_TITLE.get(name)
        if found is None:
            near = difflib.get_close_matches(name.lower(), [title.lower() for title in _BY_TITLE], n=3)
            hint = [title for title in _BY_TITLE if title.lower() in near]
            raise ValueError(f"Kafka has no API named {name!r}" + (f"; did you mean {hint}?" if hint else ""))
        return found

    @property
    def title(self) -> str:
        """The name as Kafka's messages have it: `JoinGroup`."""
        return _TITLES[self]

    @property
    def declared(self) -> bool:
        """Whether there are messages for it: false for what only brokers say to each other."""
        return self in _MODULES

    @property
    def request(self) -> type[Any]:
        """The class of the request."""
        return self._message("Request")

    @property
    def response(self) -> type[Any]:
        """The class of the response."""
        return self._message("Response")

    @property
    def versions(self) -> tuple[int, int]:
        """The oldest and the newest version that is declared, whatever a broker offers of them."""
        declared = schema_of(self.request).versions
        return declared.first, declared.last

    @property
    def flexible_from(self) -> int | None:
        """The first version with compact lengths and tagged fields; None where there is none."""
        flexible = schema_of(self.request).flexible
        return flexible.first if flexible else None

    def _message(self, kind: str) -> type[Any]:
        assert self in _MODULES, f"{self.title} is said between brokers only: it has no messages here"
        module = import_module(f"mockbroker.protocol.messages.{_MODULES[self]}")
        found: type[Any] = getattr(module, self.title + kind)
        return found


_TITLES: Final = {api: "".join(word.capitalize() for word in api.name.split("_")) for api in Api}
_BY_TITLE: Final = {title: api for api, title in _TITLES.items()}

# Which module declares what.
_FILED: Final = {
    "produce": (
        Api.PRODUCE,
        Api.DESCRIBE_PRODUCERS,
    ),
    "fetch": (Api.FETCH,),
    "offsets": (
        Api.LIST_OFFSETS,
        Api.OFFSET_FOR_LEADER_EPOCH,
        Api.OFFSET_COMMIT,
        Api.OFFSET_FETCH,
    ),
    "metadata": (
        Api.METADATA,
        Api.FIND_COORDINATOR,
        Api.API_VERSIONS,
        Api.DESCRIBE_CLUSTER,
        Api.DESCRIBE_TOPIC_PARTITIONS,
    ),
    "groups": (
        Api.JOIN_GROUP,
        Api.HEARTBEAT,
        Api.LEAVE_GROUP,
        Api.SYNC_GROUP,
        Api.DESCRIBE_GROUPS,
        Api.LIST_GROUPS,
        Api.DELETE_GROUPS,
        Api.OFFSET_DELETE,
    ),
    "consumer_groups": (
        Api.CONSUMER_GROUP_HEARTBEAT,
        Api.CONSUMER_GROUP_DESCRIBE,
    ),
    "share_groups": (
        Api.SHARE_GROUP_HEARTBEAT,
        Api.SHARE_GROUP_DESCRIBE,
        Api.SHARE_FETCH,
        Api.SHARE_ACKNOWLEDGE,
    ),
    "share_offsets": (
        Api.DESCRIBE_SHARE_GROUP_OFFSETS,
        Api.ALTER_SHARE_GROUP_OFFSETS,
        Api.DELETE_SHARE_GROUP_OFFSETS,
    ),
    "streams_groups": (
        Api.STREAMS_GROUP_HEARTBEAT,
        Api.STREAMS_GROUP_DESCRIBE,
        Api.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE,
    ),
    "transactions": (
        Api.INIT_PRODUCER_ID,
        Api.ADD_PARTITIONS_TO_TXN,
        Api.ADD_OFFSETS_TO_TXN,
        Api.END_TXN,
        Api.WRITE_TXN_MARKERS,
        Api.TXN_OFFSET_COMMIT,
        Api.DESCRIBE_TRANSACTIONS,
        Api.LIST_TRANSACTIONS,
    ),
    "topics": (
        Api.CREATE_TOPICS,
        Api.DELETE_TOPICS,
        Api.CREATE_PARTITIONS,
        Api.DELETE_RECORDS,
    ),
    "configs": (
        Api.DESCRIBE_CONFIGS,
        Api.ALTER_CONFIGS,
        Api.INCREMENTAL_ALTER_CONFIGS,
        Api.LIST_CONFIG_RESOURCES,
    ),
    "acls": (
        Api.DESCRIBE_ACLS,
        Api.CREATE_ACLS,
        Api.DELETE_ACLS,
    ),
    "sasl": (
        Api.SASL_HANDSHAKE,
        Api.SASL_AUTHENTICATE,
        Api.DESCRIBE_USER_SCRAM_CREDENTIALS,
        Api.ALTER_USER_SCRAM_CREDENTIALS,
    ),
    "quotas": (
        Api.DESCRIBE_CLIENT_QUOTAS,
        Api.ALTER_CLIENT_QUOTAS,
    ),
    "tokens": (
        Api.CREATE_DELEGATION_TOKEN,
        Api.RENEW_DELEGATION_TOKEN,
        Api.EXPIRE_DELEGATION_TOKEN,
        Api.DESCRIBE_DELEGATION_TOKEN,
    ),
    "replicas": (
        Api.ALTER_REPLICA_LOG_DIRS,
        Api.DESCRIBE_LOG_DIRS,
        Api.ELECT_LEADERS,
        Api.ALTER_PARTITION_REASSIGNMENTS,
        Api.LIST_PARTITION_REASSIGNMENTS,
    ),
    "cluster": (
        Api.DESCRIBE_QUORUM,
        Api.UPDATE_FEATURES,
        Api.UNREGISTER_BROKER,
        Api.ADD_RAFT_VOTER,
        Api.REMOVE_RAFT_VOTER,
        Api.UNREGISTER_CONTROLLER,
    ),
    "telemetry": (
        Api.GET_TELEMETRY_SUBSCRIPTIONS,
        Api.PUSH_TELEMETRY,
    ),
}
_MODULES: Final = {api: module for module, apis in _FILED.items() for api in apis}
