"""The sentences of everything else: versions, metadata, and what admins do to topics and settings.

Each API has two functions: what is asked, and what the answer comes to.
"""

from __future__ import annotations

from typing import Any

from mockbroker.protocol.apis import Api
from mockbroker.timeline.places import counted, listed, places
from mockbroker.timeline.reading import REDACTED, Names, clean, distinct, error_name, is_secret
from mockbroker.timeline.sentences_groups import ok_or_errors

_RESOURCES = {2: "topic", 4: "broker", 8: "broker logger", 16: "client metrics", 32: "group"}
_CHANGES = {0: "=", 1: " deleted", 2: "+=", 3: "-="}
_ELECTIONS = {0: "preferred", 1: "unclean"}


def nothing(_body: Any, _response: Any, _names: Names) -> str:
    """A request that asks for the one thing that its API gives."""
    return ""


def _software(body: Any, _response: Any, _names: Names) -> str:
    return clean(f"{body.client_software_name} {body.client_software_version}").strip()


def _metadata(body: Any, response: Any, names: Names) -> str:
    # Version 0 asks for all topics by naming none, all later ones by a null.
    if body.topics is None:
        return "(all topics)"
    if not body.topics:
        told = getattr(response, "topics", None)
        return "(all topics)" if told else "(no topics)"
    return listed(clean(names.of(topic) or topic.name or "?") for topic in body.topics)


def _metadata_told(_body: Any, response: Any, names: Names) -> str:
    if response.error_code:
        return error_name(response.error_code)
    if len(response.topics) > 1 and not any(topic.error_code for topic in response.topics):
        return counted(len(response.topics), "topic")
    told = [_shape(topic) for topic in response.topics]
    if len(told) > 1:
        told = [
            f"{clean(names.of(topic) or '?')} {text}"
            for topic, text in zip(response.topics, told, strict=True)
        ]
    return listed(told) or counted(len(response.brokers), "broker")


def _shape(topic: Any) -> str:
    if topic.error_code:
        return error_name(topic.error_code)
    leaders = distinct(part.leader_id for part in topic.partitions)
    lost = [part.partition_index for part in topic.partitions if part.error_code]
    told = f"{counted(len(topic.partitions), 'partition')}, led by {','.join(map(str, leaders))}"
    return told + (f" (no leader: {','.join(map(str, lost))})" if lost else "")


def _create(body: Any, _response: Any, _names: Names) -> str:
    return listed(_new_topic(topic) for topic in body.topics)


def _new_topic(topic: Any) -> str:
    if topic.assignments:
        return f"{clean(topic.name)} p={len(topic.assignments)}"
    return f"{clean(topic.name)} p={topic.num_partitions} rf={topic.replication_factor}"


def _with_messages(field: str) -> Any:
    """An answer with a result for each thing: its error, and what the broker says about it."""

    def tell(_body: Any, response: Any, _names: Names) -> str:
        if getattr(response, "error_code", 0):
            return error_name(response.error_code)
        wrong = [result for result in getattr(response, field) if result.error_code]
        told = [f"{error_name(r.error_code)}: {clean(r.error_message or '', 100)}" for r in wrong]
        return listed(dict.fromkeys(text.removesuffix(": ") for text in told)) or "ok"

    return tell


def _delete_topics(body: Any, _response: Any, names: Names) -> str:
    named = [*body.topic_names, *(topic.name or names.of(topic) or "?" for topic in body.topics)]
    return listed(clean(name) for name in named)


def _create_partitions(body: Any, _response: Any, _names: Names) -> str:
    return listed(f"{clean(topic.name)} to {topic.count}" for topic in body.topics)


def _resources(body: Any, _response: Any, _names: Names) -> str:
    return listed(f"{_kind(r.resource_type)} {clean(r.resource_name)}".rstrip() for r in body.resources)


def _kind(number: int) -> str:
    return _RESOURCES.get(number, f"resource type {number}")


def _changes(body: Any, _response: Any, _names: Names) -> str:
    return listed(
        f"{_kind(r.resource_type)} {clean(r.resource_name)}: " + listed(_change(c) for c in r.configs)
        for r in body.resources
    )


def _change(config: Any) -> str:
    how = _CHANGES.get(getattr(config, "config_operation", 0), "?")
    value = REDACTED if is_secret(config.name) else clean(config.value)
    return f"{clean(config.name)}{how}{'' if how == ' deleted' else value}"


def _configs(body: Any, response: Any, _names: Names) -> str:
    wrong = ok_or_errors(body, response, _names)
    if wrong != "ok":
        return wrong
    return counted(sum(len(result.configs) for result in response.results), "setting")


def _named_resources(_body: Any, response: Any, _names: Names) -> str:
    if response.error_code:
        return error_name(response.error_code)
    return counted(len(response.config_resources), "resource")


def _cluster(_body: Any, response: Any, _names: Names) -> str:
    if response.error_code:
        return error_name(response.error_code)
    return f"{counted(len(response.brokers), 'broker')}, controller {response.controller_id}"


def _named_topics(body: Any, _response: Any, names: Names) -> str:
    return listed(clean(names.of(topic) or "?") for topic in body.topics)


def _elect(body: Any, _response: Any, names: Names) -> str:
    how = _ELECTIONS.get(body.election_type, "?")
    where = "(all)" if body.topic_partitions is None else listed(map(str, places(body, names)))
    return f"{how} {where}"


def _quorum(body: Any, _response: Any, names: Names) -> str:
    return listed(map(str, places(body, names)))


def _features(body: Any, _response: Any, _names: Names) -> str:
    return listed(f"{clean(one.feature)}={one.max_version_level}" for one in body.feature_updates)


TABLE = {
    Api.UPDATE_FEATURES: (_features, ok_or_errors),
    Api.API_VERSIONS: (_software, ok_or_errors),
    Api.METADATA: (_metadata, _metadata_told),
    Api.CREATE_TOPICS: (_create, _with_messages("topics")),
    Api.DELETE_TOPICS: (_delete_topics, _with_messages("responses")),
    Api.CREATE_PARTITIONS: (_create_partitions, _with_messages("results")),
    Api.DESCRIBE_CONFIGS: (_resources, _configs),
    Api.ALTER_CONFIGS: (_changes, _with_messages("responses")),
    Api.INCREMENTAL_ALTER_CONFIGS: (_changes, _with_messages("responses")),
    Api.LIST_CONFIG_RESOURCES: (nothing, _named_resources),
    Api.DESCRIBE_CLUSTER: (nothing, _cluster),
    Api.DESCRIBE_TOPIC_PARTITIONS: (_named_topics, ok_or_errors),
    Api.DESCRIBE_QUORUM: (_quorum, ok_or_errors),
    Api.ELECT_LEADERS: (_elect, ok_or_errors),
}
