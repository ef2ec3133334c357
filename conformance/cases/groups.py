"""Requests of a consumer group's members, as most cases send them."""

from __future__ import annotations

from typing import Any

from conformance.cases.line import Line


def joining(
    group: str,
    *,
    member_id: str = "",
    metadata: bytes = b"first",
    session_timeout: int = 30_000,
    rebalance_timeout: int = 60_000,
    protocols: tuple[str, ...] = ("range",),
    **more: Any,
) -> dict[str, Any]:
    """The fields of a JoinGroup; every protocol carries the same metadata.

    Our metadata are short words and no subscriptions.  In a longer one 3.9 finds the size of a list of
    topics, and when that is larger than the rest it fails in a way that it does not expect of itself.
    """
    return {
        "group_id": group,
        "session_timeout": session_timeout,
        "rebalance_timeout": rebalance_timeout,
        "member_id": member_id,
        "protocol_type": "consumer",
        "protocols": [{"name": name, "metadata": metadata} for name in protocols],
    } | more


class Member:
    """A member with a connection of its own, who remembers what the coordinator told it."""

    def __init__(self, line: Line, group: str, **joins_with: Any) -> None:
        self.line, self.group, self._joins_with = line, group, joins_with
        self.member_id, self.generation = "", -1

    def ask_to_join(self, version: int = 5, **more: Any) -> None:
        """Send a JoinGroup, whose answer may be long in coming."""
        given = {"member_id": self.member_id} | self._joins_with | more
        self.line.send("JoinGroup", version, **joining(self.group, **given))

    def hear_join(self) -> dict[str, Any]:
        """Hear how the join went, and remember it."""
        answer = self.line.hear()
        self.member_id = answer.get("member_id", self.member_id)
        self.generation = answer.get("generation_id", -1)
        return answer

    def join(self, version: int = 5, **more: Any) -> dict[str, Any]:
        """Join, with the id that was given to it if the coordinator insists."""
        self.ask_to_join(version, **more)
        answer = self.hear_join()
        if answer.get("error_code") == "MEMBER_ID_REQUIRED":
            self.ask_to_join(version, **more)
            return self.hear_join()
        return answer

    def sync(self, version: int = 3, **assignments: Any) -> dict[str, Any]:
        """Sync; `of` maps member ids to assignments, if this one leads."""
        self.ask_to_sync(version, **assignments)
        return self.line.hear()

    def ask_to_sync(self, version: int = 3, *, of: dict[str, bytes] | None = None, **more: Any) -> None:
        """Send a SyncGroup."""
        given = [{"member_id": id, "assignment": data} for id, data in (of or {}).items()]
        self.line.send("SyncGroup", version, **self.as_member(), assignments=given, **more)

    def heartbeat(self, version: int = 3, **more: Any) -> dict[str, Any]:
        """Say that it is alive."""
        return self.line.ask("Heartbeat", version, **self.as_member() | more)

    def as_member(self) -> dict[str, Any]:
        """How it names itself."""
        return {"group_id": self.group, "generation_id": self.generation, "member_id": self.member_id}
