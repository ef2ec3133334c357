"""Why Kafka 3.9.1 answers otherwise than 4.4: what the releases between them have changed, case by case.

Outside of these places mockbroker, which emulates 4.4, agrees with the record of 3.9.1 too.  A change that
explains nothing in one of the cases that it names fails the test.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from conformance.cases.compare import Difference

BEFORE = "3.9.1"


class Change(NamedTuple):
    """A change that shows in these cases, where something was `asked` and `at` this place of the answer.

    Both are regular expressions; places are searched in, so "" is the whole answer.
    """

    cases: str
    asked: str
    at: str
    reason: str

    def names(self, case: str) -> bool:
        """Whether it is said to show in this case."""
        return case in self.cases.split()

    def explains(self, place: Difference) -> bool:
        """Whether this is a difference that it makes."""
        return bool(re.fullmatch(self.asked, place.asked) and re.search(self.at, place.at))


CHANGES = [
    # Versions that 3.9 does not have: it hangs up, and 4.4 answers.
    Change("17 17a 22 22a", "Metadata v13", "", "KIP-1102: v13 has an error for the whole, from 4.0 on"),
    Change("29 32 50 91", "Produce v12", "", "KIP-890: v12 came with 4.0"),
    Change("48a 50", "Produce v13", "", "KIP-516: topic ids in v13, from 4.1 on"),
    Change("63a", "Fetch v18", "", "KIP-1166: v18 came with 4.1"),
    Change("83 83a 83b 87a", "ListOffsets v1[01]", "", "KIP-1075: v10 came with 4.0; KIP-1023: v11 with 4.2"),
    Change("129c", "Offset(Commit|Fetch) v10", "", "KIP-848: topic ids in v10, from 4.2 on"),
    Change("133 137", "DescribeGroups v6", "", "KIP-1043: v6 calls a missing group missing, from 4.0 on"),
    Change("203", "DescribeCluster v2", "", "KIP-1073: v2 came with 4.0"),
    Change("159", "EndTxn v5", "", "KIP-890: every end brings a new epoch in v5, from 4.0 on"),
    Change("181", "ListTransactions v2", "", "KIP-1152: patterns in v2, from 4.1 on"),
    # Answers that have changed within a version.
    Change(
        "1 1a 3 4 6a 10 12",
        "ApiVersions v.*",
        "^(api_keys|supported_features|finalized_features)",
        "every release has other versions of APIs and other levels of features",
    ),
    Change("13", "ELR in v4", "^value$", "KIP-966: the feature came with 4.0"),
    Change(
        "21", "Metadata v.*", r"\.isr_nodes$", "KIP-966: without an ELR the last replica stays in the ISR"
    ),
    Change("105", "DescribeTopicPartitions v0", r"\.eligible_leader_replicas$", "KIP-966: 3.9 has no ELR"),
    Change(
        "44",
        "Fetch v4",
        r"^responses\[0\]\.partitions\[0\]\.",
        "KIP-896, KIP-724: 3.9 converts records for old clients, and cannot from zstd; 4.0 converts nothing",
    ),
    Change("65b", "Fetch v.*", r"\.records$", "a refused fetch has null for records in 3.9, and none in 4.4"),
    Change("87", "ListOffsets v6", r"^topics", "3.9 answers each time that the partition is named, 4.4 once"),
    Change(
        "129a 219",
        "OffsetCommit v9",
        r"\.error_code$",
        "KIP-848: the coordinator of before 4.0 says ILLEGAL_GENERATION in every version",
    ),
    Change(
        "219 219a",
        "DescribeGroups v5",
        r"\.group_state$",
        "KIP-848: the coordinator of before 4.0 shows every group that it has in mind",
    ),
    Change(
        "13",
        "UpdateFeatures v1",
        "error_message$",
        "3.9 has other texts where there is nothing to complain of",
    ),
    Change(
        "160",
        "DescribeTransactions v0",
        r"\.transaction_start_time$",
        "3.9 keeps the time at which the last transaction began when a producer begins anew",
    ),
    Change(
        "171",
        "TxnOffsetCommit v3",
        r"\.error_code$",
        "KIP-848: the coordinator of before 4.0 looks for the member before it looks at its generation",
    ),
    Change(
        "172",
        "InitProducerId v4",
        "",
        "KIP-890: since 4.0 the owner of a transaction that was aborted for its time-out may go on",
    ),
    Change(
        "185 185b 185c 185d",
        "CreateTopics v[567]",
        r"\.configs$",
        "4.0 gave topics new settings and took message.format.version and others away (KIP-724)",
    ),
]
