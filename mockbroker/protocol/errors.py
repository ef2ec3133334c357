"""Kafka's error codes, and the two ways in which a request can be wrong.

`KafkaError` is an answer: something the protocol has a code for.  `MalformedMessage` has no answer: the bytes
are not a message, and a broker closes the connection.  What an error means to a handler is not known here.
"""

from __future__ import annotations

import difflib
from enum import IntEnum


class ErrorCode(IntEnum):
    """Every error code up to Kafka 4.4, by Kafka's own names."""

    UNKNOWN_SERVER_ERROR = -1
    NONE = 0
    OFFSET_OUT_OF_RANGE = 1
    CORRUPT_MESSAGE = 2
    UNKNOWN_TOPIC_OR_PARTITION = 3
    INVALID_FETCH_SIZE = 4
    LEADER_NOT_AVAILABLE = 5
    NOT_LEADER_OR_FOLLOWER = 6
    REQUEST_TIMED_OUT = 7
    BROKER_NOT_AVAILABLE = 8
    REPLICA_NOT_AVAILABLE = 9
    MESSAGE_TOO_LARGE = 10
    STALE_CONTROLLER_EPOCH = 11
    OFFSET_METADATA_TOO_LARGE = 12
    NETWORK_EXCEPTION = 13
    COORDINATOR_LOAD_IN_PROGRESS = 14
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    INVALID_TOPIC_EXCEPTION = 17
    RECORD_LIST_TOO_LARGE = 18
    NOT_ENOUGH_REPLICAS = 19
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20
    INVALID_REQUIRED_ACKS = 21
    ILLEGAL_GENERATION = 22
    INCONSISTENT_GROUP_PROTOCOL = 23
    INVALID_GROUP_ID = 24
    UNKNOWN_MEMBER_ID = 25
    INVALID_SESSION_TIMEOUT = 26
    REBALANCE_IN_PROGRESS = 27
    INVALID_COMMIT_OFFSET_SIZE = 28
    TOPIC_AUTHORIZATION_FAILED = 29
    GROUP_AUTHORIZATION_FAILED = 30
    CLUSTER_AUTHORIZATION_FAILED = 31
    INVALID_TIMESTAMP = 32
    UNSUPPORTED_SASL_MECHANISM = 33
    ILLEGAL_SASL_STATE = 34
    UNSUPPORTED_VERSION = 35
    TOPIC_ALREADY_EXISTS = 36
    INVALID_PARTITIONS = 37
    INVALID_REPLICATION_FACTOR = 38
    INVALID_REPLICA_ASSIGNMENT = 39
    INVALID_CONFIG = 40
    NOT_CONTROLLER = 41
    INVALID_REQUEST = 42
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43
    POLICY_VIOLATION = 44
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45
    DUPLICATE_SEQUENCE_NUMBER = 46
    INVALID_PRODUCER_EPOCH = 47
    INVALID_TXN_STATE = 48
    INVALID_PRODUCER_ID_MAPPING = 49
    INVALID_TRANSACTION_TIMEOUT = 50
    CONCURRENT_TRANSACTIONS = 51
    TRANSACTION_COORDINATOR_FENCED = 52
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53
    SECURITY_DISABLED = 54
    OPERATION_NOT_ATTEMPTED = 55
    KAFKA_STORAGE_ERROR = 56
    LOG_DIR_NOT_FOUND = 57
    SASL_AUTHENTICATION_FAILED = 58
    UNKNOWN_PRODUCER_ID = 59
    REASSIGNMENT_IN_PROGRESS = 60
    DELEGATION_TOKEN_AUTH_DISABLED = 61
    DELEGATION_TOKEN_NOT_FOUND = 62
    DELEGATION_TOKEN_OWNER_MISMATCH = 63
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65
    DELEGATION_TOKEN_EXPIRED = 66
    INVALID_PRINCIPAL_TYPE = 67
    NON_EMPTY_GROUP = 68
    GROUP_ID_NOT_FOUND = 69
    FETCH_SESSION_ID_NOT_FOUND = 70
    INVALID_FETCH_SESSION_EPOCH = 71
    LISTENER_NOT_FOUND = 72
    TOPIC_DELETION_DISABLED = 73
    FENCED_LEADER_EPOCH = 74
    UNKNOWN_LEADER_EPOCH = 75
    UNSUPPORTED_COMPRESSION_TYPE = 76
    STALE_BROKER_EPOCH = 77
    OFFSET_NOT_AVAILABLE = 78
    MEMBER_ID_REQUIRED = 79
    PREFERRED_LEADER_NOT_AVAILABLE = 80
    GROUP_MAX_SIZE_REACHED = 81
    FENCED_INSTANCE_ID = 82
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83
    ELECTION_NOT_NEEDED = 84
    NO_REASSIGNMENT_IN_PROGRESS = 85
    GROUP_SUBSCRIBED_TO_TOPIC = 86
    INVALID_RECORD = 87
    UNSTABLE_OFFSET_COMMIT = 88
    THROTTLING_QUOTA_EXCEEDED = 89
    PRODUCER_FENCED = 90
    RESOURCE_NOT_FOUND = 91
    DUPLICATE_RESOURCE = 92
    UNACCEPTABLE_CREDENTIAL = 93
    INCONSISTENT_VOTER_SET = 94
    INVALID_UPDATE_VERSION = 95
    FEATURE_UPDATE_FAILED = 96
    PRINCIPAL_DESERIALIZATION_FAILURE = 97
    SNAPSHOT_NOT_FOUND = 98
    POSITION_OUT_OF_RANGE = 99
    UNKNOWN_TOPIC_ID = 100
    DUPLICATE_BROKER_REGISTRATION = 101
    BROKER_ID_NOT_REGISTERED = 102
    INCONSISTENT_TOPIC_ID = 103
    INCONSISTENT_CLUSTER_ID = 104
    TRANSACTIONAL_ID_NOT_FOUND = 105
    FETCH_SESSION_TOPIC_ID_ERROR = 106
    INELIGIBLE_REPLICA = 107
    NEW_LEADER_ELECTED = 108
    OFFSET_MOVED_TO_TIERED_STORAGE = 109
    FENCED_MEMBER_EPOCH = 110
    UNRELEASED_INSTANCE_ID = 111
    UNSUPPORTED_ASSIGNOR = 112
    STALE_MEMBER_EPOCH = 113
    MISMATCHED_ENDPOINT_TYPE = 114
    UNSUPPORTED_ENDPOINT_TYPE = 115
    UNKNOWN_CONTROLLER_ID = 116
    UNKNOWN_SUBSCRIPTION_ID = 117
    TELEMETRY_TOO_LARGE = 118
    INVALID_REGISTRATION = 119
    TRANSACTION_ABORTABLE = 120
    INVALID_RECORD_STATE = 121
    SHARE_SESSION_NOT_FOUND = 122
    INVALID_SHARE_SESSION_EPOCH = 123
    FENCED_STATE_EPOCH = 124
    INVALID_VOTER_KEY = 125
    DUPLICATE_VOTER = 126
    VOTER_NOT_FOUND = 127
    INVALID_REGULAR_EXPRESSION = 128
    REBOOTSTRAP_REQUIRED = 129
    STREAMS_INVALID_TOPOLOGY = 130
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131
    STREAMS_TOPOLOGY_FENCED = 132
    SHARE_SESSION_LIMIT_REACHED = 133
    GROUP_DELETION_FAILED = 134
    STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED = 135
    CONTROLLER_ID_NOT_REGISTERED = 136

    @classmethod
    def named(cls, name: str | ErrorCode) -> ErrorCode:
        """The code of this name, in capitals as Kafka writes it; a code is taken as it is."""
        if isinstance(name, ErrorCode):
            return name
        if name in cls.__members__:
            return cls.__members__[name]
        near = difflib.get_close_matches(name.upper(), cls.__members__, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"Kafka has no error named {name!r}{hint}")

    @property
    def retriable(self) -> bool:
        """Whether Kafka's own clients try again on seeing it."""
        return self in RETRIABLE

    @property
    def text(self) -> str:
        """One sentence for people, where the answer has room for a message and nothing better to say."""
        return TEXTS[self]


class KafkaError(Exception):
    """A refusal in the protocol's own terms: raised where it is known, answered where it has an address."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message or self.code.text}"


class MalformedMessage(ValueError):
    """These bytes are not what they should be.  The sentence says what was expected."""


# Kafka's clients wait and try again on these; everything else is final.
RETRIABLE = frozenset(
    {
        ErrorCode.CORRUPT_MESSAGE,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.LEADER_NOT_AVAILABLE,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.REPLICA_NOT_AVAILABLE,
        ErrorCode.NETWORK_EXCEPTION,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        ErrorCode.NOT_CONTROLLER,
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode.INVALID_FETCH_SESSION_EPOCH,
        ErrorCode.LISTENER_NOT_FOUND,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.OFFSET_NOT_AVAILABLE,
        ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
        ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
        ErrorCode.ELECTION_NOT_NEEDED,
        ErrorCode.UNSTABLE_OFFSET_COMMIT,
        ErrorCode.THROTTLING_QUOTA_EXCEEDED,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.INCONSISTENT_TOPIC_ID,
        ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
        ErrorCode.SHARE_SESSION_NOT_FOUND,
        ErrorCode.INVALID_SHARE_SESSION_EPOCH,
        ErrorCode.SHARE_SESSION_LIMIT_REACHED,
    }
)

TEXTS = {
    -1: "The broker met an error that it has no code for.",
    0: "All went well.",
    1: "The offset lies outside the range of offsets that the partition holds.",
    2: "The batch is damaged: its checksum, its size or its structure is wrong.",
    3: "This broker does not host that topic or partition.",
    4: "The fetch size is not valid.",
    5: "The partition has no leader at the moment.",
    6: "This broker is neither the leader of the partition nor a replica that may answer.",
    7: "The work did not end before the time of the request ran out; it may still end.",
    8: "The broker is not available.",
    9: "The replica is not available.",
    10: "The batch is larger than the topic accepts.",
    11: "The controller epoch of the request is older than the newest one seen.",
    12: "The metadata string of the committed offset is too large.",
    13: "The connection broke before an answer came.",
    14: "The coordinator is still loading its partition.",
    15: "There is no coordinator at the moment.",
    16: "This broker is not the coordinator for that key.",
    17: "The topic name is illegal, or the topic is not for clients to write.",
    18: "The batch is larger than a log segment.",
    19: "Fewer replicas are in sync than min.insync.replicas asks for; nothing was written.",
    20: "The batch was written, but fewer replicas are in sync than min.insync.replicas asks for.",
    21: "acks must be -1, 0 or 1.",
    22: "The generation is not the group's current one.",
    23: "The member has no protocol in common with the rest of the group.",
    24: "The group id is not valid.",
    25: "The group has no such member.",
    26: "The session timeout lies outside the range that the broker allows.",
    27: "The group is rebalancing: join again.",
    28: "The offset commit is too large to be stored.",
    29: "The principal may not do this to the topic.",
    30: "The principal may not do this to the group.",
    31: "The principal may not do this to the cluster.",
    32: "The timestamp of a record lies outside the range that the topic allows.",
    33: "The broker does not offer this SASL mechanism.",
    34: "This request is out of place in the course of the SASL exchange.",
    35: "This version of the request, or the feature that it needs, is not supported here.",
    36: "A topic of this name exists already.",
    37: "The number of partitions is not valid.",
    38: "The replication factor is not valid, or larger than the number of brokers.",
    39: "The replica assignment is not valid.",
    40: "The configuration is not valid.",
    41: "This broker is not the controller.",
    42: "The request contradicts itself or lacks something.",
    43: "The message format of the topic cannot do this.",
    44: "A policy of the cluster forbids this.",
    45: "The sequence number does not follow the last one of this producer.",
    46: "A batch with this sequence number was written before.",
    47: "The producer epoch is older than the newest one of this producer id.",
    48: "The transaction is not in a state that allows this.",
    49: "The producer id is not the one that belongs to the transactional id.",
    50: "The transaction timeout is not positive, or larger than the broker allows.",
    51: "Another step of the same transaction has not ended yet.",
    52: "The coordinator that sent this marker has been replaced by a newer one.",
    53: "The principal may not use this transactional id.",
    54: "No authorizer is configured.",
    55: "This part was not attempted, because another part of the request failed.",
    56: "The broker cannot read or write its log directory.",
    57: "The broker has no such log directory.",
    58: "The credentials were not accepted.",
    59: "The broker knows nothing of this producer id.",
    60: "The partition is being reassigned.",
    61: "Delegation tokens are not enabled.",
    62: "There is no such delegation token.",
    63: "The delegation token belongs to somebody else.",
    64: "Delegation tokens may not be asked for on this connection.",
    65: "The principal may not do this to the delegation token.",
    66: "The delegation token has expired.",
    67: "The principal is of a type that is not supported here.",
    68: "The group still has members.",
    69: "There is no such group.",
    70: "The broker knows no such fetch session.",
    71: "The epoch of the fetch session is not the one that was expected.",
    72: "The leader has no endpoint on this listener.",
    73: "Deleting topics is disabled.",
    74: "The leader epoch is older than the one the broker knows.",
    75: "The leader epoch is newer than the one the broker knows.",
    76: "The compression type is not supported by this version of the request.",
    77: "The broker epoch is not the newest one.",
    78: "The leader is too new to know this offset yet.",
    79: "Join again with the member id that this answer carries.",
    80: "The preferred leader is not available.",
    81: "The group has as many members as it may have.",
    82: "Another member has taken over the group instance id.",
    83: "No replica that may become leader is available.",
    84: "The partition needs no election.",
    85: "The partition is not being reassigned.",
    86: "The group is still subscribed to the topic.",
    87: "A record, or the batch around it, breaks a rule of the broker.",
    88: "A transaction holds offsets of the group that are not decided yet.",
    89: "The quota for such requests is used up.",
    90: "A newer producer with the same transactional id has taken over.",
    91: "There is no such resource.",
    92: "The request names the same resource twice.",
    93: "The credential does not meet the requirements.",
    94: "The sets of voters do not agree.",
    95: "The feature cannot be set to this level.",
    96: "The feature could not be updated.",
    97: "The forwarded principal cannot be read.",
    98: "There is no such snapshot.",
    99: "The position lies outside the snapshot.",
    100: "No topic has this id.",
    101: "A broker with this id is registered already.",
    102: "No broker with this id is registered.",
    103: "The topic id is not the one in the log.",
    104: "The cluster id is not the one of this cluster.",
    105: "There is no such transactional id.",
    106: "The fetch session does not agree with itself about topic ids.",
    107: "The replica may not join the in-sync replicas.",
    108: "A new leader has been elected.",
    109: "The offset has moved to tiered storage.",
    110: "The group has fenced this member epoch: join again with epoch 0.",
    111: "The group instance id is still held by another member.",
    112: "The group does not support the assignor.",
    113: "The member epoch is not the newest one: try again with the newest.",
    114: "The request came to the wrong type of endpoint.",
    115: "The type of endpoint is not known.",
    116: "There is no controller with this id.",
    117: "The telemetry subscription is not the current one.",
    118: "The telemetry is larger than the broker accepts.",
    119: "The registration is not valid.",
    120: "The transaction must be aborted; the producer may go on afterwards.",
    121: "The record is not in a state that allows this acknowledgement.",
    122: "The broker knows no such share session.",
    123: "The epoch of the share session is not the one that was expected.",
    124: "A newer state epoch has fenced this write.",
    125: "The key of the voter is not the one that is known.",
    126: "The voter is in the set already.",
    127: "The voter is not in the set.",
    128: "The regular expression is not valid.",
    129: "The client should start again from its bootstrap servers.",
    130: "The topology is not valid.",
    131: "The topology epoch is not valid.",
    132: "The topology epoch is older than the group's.",
    133: "The broker has as many share sessions as it may have.",
    134: "The group could not be deleted.",
    135: "The description of the topology could not be stored.",
    136: "No controller with this id is registered.",
}
