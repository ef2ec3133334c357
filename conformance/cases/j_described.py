"""Cases 137b and 203: what is told of groups, producers, the quorum and configs, and requests in all their versions."""

from __future__ import annotations

from typing import Any

from conformance.cases.batches import batch
from conformance.cases.groups import Member
from conformance.cases.produce import new_id, to
from conformance.cases.stage import Stage, case

_ONE = batch(b"paid")
_METADATA = "__cluster_metadata"


@case("137b", "Every version of ListGroups in its own form")
def _(it: Stage) -> None:
    member = Member(it.line(), it.group())
    member.join(3)
    for version in range(6):
        answer = it.quietly("ListGroups", version)
        # Other cases have groups, too.
        answer["groups"] = [group for group in answer["groups"] if group["group_id"] == member.group]
        it.tell(f"ListGroups v{version}", answer)


@case("203a", "The quorum is described, and nothing else is one")
def _(it: Stage) -> None:
    for version in range(3):
        answer = it.quietly("DescribeQuorum", version, topics=[_quorum(_METADATA, 0)])
        (topic,) = answer["topics"]
        (partition,) = topic["partitions"]
        voters = [voter["replica_id"] for voter in partition["current_voters"]]
        said = {name: partition[name] for name in ("partition_index", "error_code", "leader_id", "observers")}
        # How far they are differs from moment to moment, but nobody is behind the committed end for long.
        it.tell(f"DescribeQuorum v{version}", {"topic": topic["topic_name"], "voters": voters} | said)
        it.ask("DescribeQuorum", version, topics=[_quorum(_METADATA, 1)])
        it.ask("DescribeQuorum", version, topics=[_quorum(it.name("orders"), 0)])
        it.ask("DescribeQuorum", version, topics=[_quorum(_METADATA, 0, 1)])
    it.ask("DescribeQuorum", 2, topics=[])


def _quorum(topic: str, *partitions: int) -> dict[str, Any]:
    return {"topic_name": topic, "partitions": [{"partition_index": index} for index in partitions]}


@case("203b", "What has configs is listed by type", since=(4, 1))
def _(it: Stage) -> None:
    topic = it.topic()
    it.ask("ListConfigResources", 0)
    for types in ([2], [4], [8], [16], [32], [2, 4], []):
        answer = it.quietly("ListConfigResources", 1, resource_types=types)
        found = [
            each
            for each in answer["config_resources"]
            if each["resource_type"] != 2 or each["resource_name"] == topic
        ]
        by_type = sorted(found, key=lambda each: (each["resource_type"], each["resource_name"]))
        it.tell(f"ListConfigResources v1 {types}", answer | {"config_resources": by_type})
    it.ask("ListConfigResources", 1, resource_types=[3])


@case("203c", "The leader of a partition tells of its producers")
def _(it: Stage) -> None:
    topic, never = it.topic(partitions=2), it.name("never")
    producer_id = new_id(it)
    for sequence in (0, 1):
        sent = batch(b"paid", producer=(producer_id, 0, sequence), timestamp=it.zero_ms + sequence)
        it.ask("Produce", 9, **to(topic, sent))
    it.quietly("Produce", 9, **to(topic, _ONE))
    for asked, partitions in ((topic, [0, 1]), (topic, [0, 7]), (never, [0]), ("no/name", [0])):
        it.ask("DescribeProducers", 0, topics=[{"name": asked, "partition_indexes": partitions}])


@case("203d", "What changes topics has the same answers in every version, each in its own form")
def _(it: Stage) -> None:
    topic = it.topic()
    for version in range(4):
        grown = {"name": topic, "count": version + 2, "assignments": None}
        it.ask("CreatePartitions", version, topics=[grown], timeout=30_000, validate_only=False)
    for version in range(3):
        asked = [{"topic": topic, "partitions": [0]}]
        how = {"election_type": 0} if version else {}
        it.ask("ElectLeaders", version, topic_partitions=asked, timeout=30_000, **how)
    for version in range(3):
        setting = {"name": "retention.ms", "value": str(1_000 + version)}
        resource = {"resource_type": 2, "resource_name": topic}
        it.ask("AlterConfigs", version, resources=[resource | {"configs": [setting]}], validate_only=False)
        if version < 2:
            change = resource | {"configs": [setting | {"config_operation": 0}]}
            it.ask("IncrementalAlterConfigs", version, resources=[change], validate_only=False)
    it.ask("DeleteTopics", 2, topic_names=[topic], timeout=30_000)


@case("203e", "Who leaves, is deleted, is looked for or wants an id is answered in every version's own form")
def _(it: Stage) -> None:
    for version in range(6):
        group = it.group(f"left in v{version}")
        member = Member(it.line(), group)
        member.join(3)
        who: dict[str, Any] = {"member_id": member.member_id} | ({"reason": "enough"} if version > 4 else {})
        it.ask("LeaveGroup", version, group_id=group, **({"members": [who]} if version > 2 else who))
    for version in range(3):
        it.ask("DeleteGroups", version, groups_names=[it.name("nobody")])
    group = it.group()
    for version in range(7):
        key: dict[str, Any] = {"key": group} if version < 4 else {"coordinator_keys": [group]}
        it.ask("FindCoordinator", version, **key | ({"key_type": 0} if version else {}))
    new_id(it)
    for version in range(6):
        known = {"producer_id": -1, "producer_epoch": -1} if version > 2 else {}
        it.ask("InitProducerId", version, transactional_id=None, transaction_timeout=1_000, **known)
