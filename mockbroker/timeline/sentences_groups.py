"""The sentences of what groups do: finding a coordinator, joining, syncing, committing, leaving.

Each API has two functions: what is asked, and what the answer comes to.
"""

from __future__ import annotations

import re
from typing import Any

from mockbroker.core.groups.consumer_protocol import parse_assignment
from mockbroker.protocol.apis import Api
from mockbroker.timeline.places import Place, answers, counted, listed, places
from mockbroker.timeline.reading import Names, clean, error_name, errors

# Member ids end in a UUID, of which the first characters tell members apart.
_UUID = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


def member(member_id: str) -> str:
    """A member id as people tell it from others."""
    return clean(_UUID.sub(r"\1", member_id))


def ok_or_errors(_body: Any, response: Any, _names: Names) -> str:
    """The errors in an answer, each once; "ok" without any."""
    return listed(errors(response)) or "ok"


def _coordinator(body: Any, _response: Any, _names: Names) -> str:
    kind = {0: "", 1: "transactional.id ", 2: "share partition "}.get(body.key_type, "")
    return kind + listed(clean(key) for key in [body.key, *body.coordinator_keys] if key)


def _coordinated(_body: Any, response: Any, _names: Names) -> str:
    told = [
        error_name(found.error_code) if found.error_code else f"broker {found.node_id}"
        for found in response.coordinators or [response]
    ]
    return listed(dict.fromkeys(told))


def _join(body: Any, response: Any, _names: Names) -> str:
    told = clean(body.group_id)
    if response is not None and not response.error_code:
        told += f" gen {response.generation_id}"
    elif body.member_id:
        told += f" as {member(body.member_id)}"
    else:
        told += " (new)"
    return told + (f" static {clean(body.group_instance_id)}" if body.group_instance_id else "")


def _joined(_body: Any, response: Any, _names: Names) -> str:
    if response.error_code:
        return f"{error_name(response.error_code)} {member(response.member_id)}".rstrip()
    if response.leader == response.member_id:
        return f"leader, {counted(len(response.members), 'member')}"
    return f"follower, the leader is {member(response.leader)}"


def _sync(body: Any, _response: Any, _names: Names) -> str:
    brings = f", assigns {counted(len(body.assignments), 'member')}" if body.assignments else ""
    return f"{_in_generation(body)}{brings}"


def _synced(_body: Any, response: Any, _names: Names) -> str:
    if response.error_code:
        return error_name(response.error_code)
    try:
        owned = parse_assignment(response.assignment)
    except ValueError:
        return f"{len(response.assignment)} bytes"
    return (
        listed(f"{clean(topic)} {','.join(map(str, sorted(parts)))}" for topic, parts in owned.items())
        or "nothing"
    )


def _in_generation(body: Any) -> str:
    return f"{clean(body.group_id)} gen {body.generation_id}"


def _heartbeat(body: Any, _response: Any, _names: Names) -> str:
    return _in_generation(body)


def _leave(body: Any, _response: Any, _names: Names) -> str:
    who = [member(one.member_id) or clean(one.group_instance_id) for one in body.members]
    return f"{clean(body.group_id)} {listed(who) or member(body.member_id)}"


def _commit(body: Any, _response: Any, names: Names) -> str:
    generation = body.generation_id_or_member_epoch
    when = f" gen {generation}" if generation >= 0 else ""
    offsets = listed(f"{place}@{place.part.committed_offset}" for place in places(body, names))
    return f"{clean(body.group_id)}{when} {offsets}"


def _asked_offsets(body: Any, _response: Any, names: Names) -> str:
    told = []
    for group in body.groups or [body]:
        where = "(all)" if group.topics is None else listed(map(str, places(group, names)))
        told.append(f"{clean(group.group_id)} {where}")
    return listed(told)


def _found_offsets(_body: Any, response: Any, names: Names) -> str:
    def tell(place: Place) -> str:
        return f"@{place.part.committed_offset}" if place.part.committed_offset >= 0 else "nothing committed"

    return listed(
        error_name(group.error_code)
        if group.error_code
        else answers(group, names, tell) or "nothing committed"
        for group in response.groups or [response]
    )


def _groups(body: Any, _response: Any, _names: Names) -> str:
    named = body.groups_names if hasattr(body, "groups_names") else body.groups
    return listed(clean(group) for group in named)


def _described(_body: Any, response: Any, _names: Names) -> str:
    return listed(
        error_name(group.error_code)
        if group.error_code
        else f"{group.group_state}, {counted(len(group.members), 'member')}"
        for group in response.groups
    )


def _nothing(_body: Any, _response: Any, _names: Names) -> str:
    return ""


def _listed_groups(_body: Any, response: Any, _names: Names) -> str:
    if response.error_code:
        return error_name(response.error_code)
    return listed(clean(group.group_id) for group in response.groups) or "none"


def _forget(body: Any, _response: Any, names: Names) -> str:
    return f"{clean(body.group_id)} {listed(map(str, places(body, names)))}"


TABLE = {
    Api.FIND_COORDINATOR: (_coordinator, _coordinated),
    Api.JOIN_GROUP: (_join, _joined),
    Api.SYNC_GROUP: (_sync, _synced),
    Api.HEARTBEAT: (_heartbeat, ok_or_errors),
    Api.LEAVE_GROUP: (_leave, ok_or_errors),
    Api.OFFSET_COMMIT: (_commit, ok_or_errors),
    Api.OFFSET_FETCH: (_asked_offsets, _found_offsets),
    Api.DESCRIBE_GROUPS: (_groups, _described),
    Api.LIST_GROUPS: (_nothing, _listed_groups),
    Api.DELETE_GROUPS: (_groups, ok_or_errors),
    Api.OFFSET_DELETE: (_forget, ok_or_errors),
}
