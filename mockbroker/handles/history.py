"""What happened, as a test holds it: events by what they are about, a wait for one, and the whole as a file.

Events are values: they stay as they are, whatever the cluster does next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mockbroker.core.usage import UsageError
from mockbroker.evidence import gather, opened
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode
from mockbroker.timeline import page, plain
from mockbroker.timeline.places import listed
from mockbroker.timeline.reading import Names, errors, groups, message_of, topics
from mockbroker.timeline.sentences import sentence
from mockbroker.waiting import Condition

if TYPE_CHECKING:
    from mockbroker.core.event import Event as Happened
    from mockbroker.core.world import World
    from mockbroker.handles.door import BlockingDoor, Door, TrioDoor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `text` tells it in a sentence.

    `kind` is "request" for one that got its answer, "refused" for one that the connection was closed for,
    "connected" and "closed" for a client that came or went, "act" for what the test did, "note" and "wait".
    `at` is in seconds since the cluster's start (or its last reset) in real time, `took` how long the client
    waited for its answer.  `errors` are the names of the errors in the answer, NONE left out; `request` and
    `response` are the messages themselves, None where there is none.
    """

    number: int
    kind: str
    at: float
    text: str
    api: str = ""
    version: int = 0
    broker: int = -1
    connection: int = 0
    client_id: str = ""
    correlation_id: int = 0
    groups: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    took: float = 0.0
    request: Any = field(default=None, repr=False, compare=False)
    response: Any = field(default=None, repr=False, compare=False)

    @property
    def error(self) -> str | None:
        """The first of its errors, if there is one."""
        return self.errors[0] if self.errors else None


def _event(happened: Happened, started_us: int, names: Names) -> Event:
    call = happened.call
    return Event(
        number=happened.number,
        kind=happened.kind,
        at=(happened.at_us - started_us) / 1_000_000,
        text=str(sentence(happened, names)),
        api=happened.api,
        version=happened.version,
        broker=happened.broker,
        connection=happened.connection,
        client_id=happened.client_id,
        correlation_id=happened.correlation_id,
        groups=tuple(groups(happened)),
        topics=tuple(topics(happened, names)),
        errors=tuple(errors(happened.response)),
        took=(happened.at_us - happened.arrived_us) / 1_000_000 if call is not None else 0.0,
        request=None if call is None else call.body,
        response=message_of(happened.response),
    )


class HistoryControls:
    """All of a history but its wait.

    The newest 100,000 events, or fewer if they hold on to more than about 64 MiB: then the oldest go.
    """

    def __init__(self, door: Door) -> None:
        self._at = door

    def __repr__(self) -> str:
        return f"<History of {len(self)} events>"

    def __len__(self) -> int:
        return self._at.do(lambda: len(self._at.world.history.events))

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events())

    @property
    def dropped(self) -> int:
        """How many events were forgotten for newer ones.

        >>> cluster.history.dropped
        0
        """
        return self._at.do(lambda: self._at.world.history.dropped)

    def events(
        self,
        api: Api | str | None = None,
        *,
        client_id: str | None = None,
        group: str | None = None,
        topic: str | None = None,
        error: ErrorCode | str | None = None,
        broker: int | None = None,
        after: Event | None = None,
    ) -> list[Event]:
        """The events that match everything given, oldest first.

        `api` is a name or an Api; `error` one that its answer must have, for any part of it; `after` leaves out
        that event and all before it.  Without `api` acts of the test and notes are among them.

        >>> [event.api for event in cluster.history.events(group="billing")][-1]
        'OffsetCommit'
        """
        wanted = _Wanted.of(api, client_id, group, topic, error, broker)
        number = 0 if after is None else after.number
        # Fetched as one step, looked through outside of it: the brokers go on meanwhile.
        started_us, names, every = self._at.do(self._since, number)
        return [_event(happened, started_us, names) for happened in wanted.among(every, names)]

    def _since(self, number: int) -> tuple[int, Names, list[Happened]]:
        history = self._at.world.history
        return history.started_us, _names(self._at.world), history.since(number)

    def note(self, text: str) -> Event:
        """Put a remark of your own among the events; it is a place to look `after`, too.

        >>> cluster.history.note("second deployment").kind
        'note'
        """

        def note() -> Event:
            world = self._at.world
            return _event(world.history.remark(text), world.history.started_us, Names())

        return self._at.do(note)

    def dump(self, path: str | Path) -> Path:
        """Write everything to a file and give its path: ".jsonl" has an event a line, ".html" is a page.

        The page needs nothing but itself, and a browser; it has the newest 5,000 events.  Secrets are left
        out, long values are cut.

        >>> cluster.history.dump(tmp / "history.jsonl").name
        'history.jsonl'
        """
        target = Path(path)
        if target.suffix not in (".jsonl", ".html"):
            raise UsageError(f"history.dump({str(path)!r}): name a file that ends in .jsonl or .html")
        evidence = opened(self._at.do(lambda: gather(self._at.world, self._at.server)))
        text = plain.jsonl(evidence) if target.suffix == ".jsonl" else page.html(evidence)
        target.write_text(text, "utf-8")
        return target

    def _attend(self, change: int) -> None:
        """Let those who wait look whenever a request was answered, and not only after steps."""
        self._at.do(lambda: setattr(history := self._at.world.history, "awaited", history.awaited + change))

    def _awaits(self, wanted: _Wanted, after: int) -> Condition[Event]:
        history = self._at.world.history
        looked_to = after

        def look() -> Event | None:
            nonlocal looked_to
            names = _names(self._at.world)
            news = history.since(looked_to)
            for happened in wanted.among(news, names):
                return _event(happened, history.started_us, names)
            looked_to = news[-1].number if news else looked_to
            return None

        def now() -> str:
            alike = [e.opened() for e in history.since(after) if e.api == wanted.api]
            if not wanted.api:
                return "there is none"
            kinds = listed(dict.fromkeys(str(sentence(event, _names(self._at.world))) for event in alike))
            return f"there were {len(alike)} {wanted.api} requests" + (f": {kinds}" if kinds else "")

        return Condition(f"{wanted} in the history", look, now)


def _names(world: World) -> Names:
    return Names({topic.id: name for name, topic in world.controller.image.topics.items()})


def _named(find: Callable[[Any], T], name: object) -> T:
    """What has this name, or a sentence for whoever misspelled it."""
    try:
        return find(name)
    except ValueError as unknown:
        raise UsageError(str(unknown)) from None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an event must be to match; None matches anything."""

    api: str | None
    client_id: str | None
    group: str | None
    topic: str | None
    error: str | None
    broker: int | None

    @classmethod
    def of(
        cls,
        api: Api | str | None,
        client_id: str | None,
        group: str | None,
        topic: str | None,
        error: ErrorCode | str | None,
        broker: int | None,
    ) -> _Wanted:
        """Checked, so that a misspelled name is no event that never comes."""
        return cls(
            None if api is None else _named(Api.named, api).title,
            client_id,
            group,
            topic,
            None if error is None else _named(ErrorCode.named, error).name,
            broker,
        )

    def among(self, events: Iterable[Happened], names: Names) -> Iterator[Happened]:
        """Those of these events, opened."""
        for event in events:
            # What costs nothing to know is looked at first.
            if (
                self.api in (None, event.api)
                and self.client_id in (None, event.client_id)
                and self.broker in (None, event.broker)
                and self._matches(opened := event.opened(), names)
            ):
                yield opened

    def _matches(self, event: Happened, names: Names) -> bool:
        return (
            (self.group is None or self.group in groups(event))
            and (self.topic is None or self.topic in topics(event, names))
            and (self.error is None or self.error in errors(event.response))
        )

    def __str__(self) -> str:
        matchers: Mapping[str, object] = {
            "client_id": self.client_id,
            "group": self.group,
            "topic": self.topic,
            "error": self.error,
            "broker": self.broker,
        }
        told = "".join(f" {name}={value}" for name, value in matchers.items() if value is not None)
        return f"{self.api or 'anything'}{told}"


class History(HistoryControls):
    """What happened, for tests that are plain functions."""

    _at: BlockingDoor

    def wait_for(
        self,
        api: Api | str | None = None,
        *,
        client_id: str | None = None,
        group: str | None = None,
        topic: str | None = None,
        error: ErrorCode | str | None = None,
        broker: int | None = None,
        after: Event | None = None,
        timeout: float | str | None = None,
    ) -> Event:
        """Wait for the first event that matches, as `events` does, and give it.

        One that has happened already counts, for a test cannot know which comes first, its call or the
        client's; `after=` an earlier event waits for another one.  Raises WaitTimeout.

        >>> cluster.history.wait_for("OffsetCommit", group="billing").client_id
        'app-a'
        """
        wanted = _Wanted.of(api, client_id, group, topic, error, broker)
        condition = self._awaits(wanted, 0 if after is None else after.number)
        self._attend(1)
        try:
            return self._at.wait(condition, timeout)
        finally:
            self._attend(-1)


class TrioHistory(HistoryControls):
    """What happened, for trio tests."""

    _at: TrioDoor

    async def wait_for(
        self,
        api: Api | str | None = None,
        *,
        client_id: str | None = None,
        group: str | None = None,
        topic: str | None = None,
        error: ErrorCode | str | None = None,
        broker: int | None = None,
        after: Event | None = None,
        timeout: float | str | None = None,  # noqa: ASYNC109 - the wait explains itself when it ends
    ) -> Event:
        """See `History.wait_for`."""
        wanted = _Wanted.of(api, client_id, group, topic, error, broker)
        condition = self._awaits(wanted, 0 if after is None else after.number)
        self._attend(1)
        try:
            return await self._at.wait(condition, timeout)
        finally:
            self._attend(-1)
