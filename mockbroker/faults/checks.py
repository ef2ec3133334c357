"""Makes a rule of what a test wrote, and refuses what makes no sense, in words that help.

Everything that can be known to be wrong is refused here, before anything is armed: a rule that can never
act would be found out only by a test that passes for the wrong reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mockbroker.core import messages
from mockbroker.core.links import CONTROLLER, Message
from mockbroker.core.usage import UsageError
from mockbroker.faults.rule import Action, Kind, Place, Rule
from mockbroker.faults.subjects import names
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from mockbroker.core.node import Node

TEXTS = ("topic", "group", "transactional_id", "client_id", "member_id")
NUMBERS = ("partition", "broker", "version")
ROADS = ("source", "to")
COUNTERS = ("nth", "every", "times", "probability")
OTHERS = ("when", "name", "optional")
OF_CALLS = (*TEXTS, *NUMBERS, *COUNTERS, *OTHERS)
OF_MESSAGES = (*ROADS, "topic", "partition", "transactional_id", *COUNTERS, *OTHERS)
OF_CONNECTIONS = ("client_id", "broker", *ROADS, "name", "optional")
_KNOWN = {Place.BETWEEN: OF_MESSAGES, Place.NETWORK: OF_CONNECTIONS}

# Counters that say different things about the same: how often a rule acts.
_CONTRADICTORY = (
    ("nth", "every"), ("nth", "times"), ("nth", "probability"), ("every", "probability"),
)  # fmt: skip

_ANY = (None, "*")


def message_types() -> dict[str, type[Message]]:
    """What brokers say to each other, by name."""
    found = {name: kind for name, kind in vars(messages).items() if isinstance(kind, type)}
    return {name: kind for name, kind in found.items() if issubclass(kind, Message) and kind is not Message}


class Checker:
    """Knows which APIs are served and which brokers there are."""

    def __init__(self, served: Collection[Api], nodes: Mapping[int, Node]) -> None:
        self._served = served
        self._nodes = nodes

    def rule(self, place: Place, what: object, given: Mapping[str, object]) -> Callable[[Action], Rule]:
        """A rule that lacks its action only; raises UsageError for a subject that makes no sense."""
        named = self._named(place, what)
        given = {matcher: value for matcher, value in given.items() if value is not None}
        self._check_names(place, given)
        where = {
            matcher: self._values(matcher, value)
            for matcher, value in given.items()
            if matcher in (*TEXTS, *NUMBERS, *ROADS)
        }
        for name in named:
            self._check_subject(place, name, where)
        self._check_counters(given)
        when = given.get("when")
        if when is not None and not callable(when):
            raise UsageError(f"when={when!r}: expected a function that is given the call and says yes or no")

        def with_action(action: Action) -> Rule:
            if place is Place.NETWORK:
                check_connections(where, action.kind)
            else:
                self._check_action(place, named, action)
            return Rule(
                place,
                named,
                action,
                where,
                name=str(given.get("name", "")),
                optional=bool(given.get("optional", False)),
                when=when,
                **{counter: given[counter] for counter in COUNTERS if counter in given},  # type: ignore[arg-type]  # checked above
            )

        return with_action

    # -- what it is about -------------------------------------------------------------------------

    def _named(self, place: Place, what: object) -> tuple[str, ...]:
        if place is Place.BETWEEN:
            return self._messages(what)
        if place is not Place.NETWORK:
            return self._apis(what)
        if what not in (*_ANY, True):
            raise UsageError(f"network = {what!r}: the network knows no requests; write '*'")
        return ()

    def _apis(self, what: object) -> tuple[str, ...]:
        if what in _ANY:
            return ()
        return tuple(dict.fromkeys(self._api(one).title for one in _several(what)))

    def _api(self, given: object) -> Api:
        if not isinstance(given, str | Api):
            raise UsageError(f"{given!r} is no API: write 'JoinGroup', Api.JOIN_GROUP, or '*' for all")
        try:
            api = Api.named(given)
        except ValueError as unknown:
            if given in message_types():
                raise UsageError(f"{given} is said between brokers: use faults.between({given!r})") from None
            raise UsageError(str(unknown)) from None
        if api not in self._served:
            hint = f": use faults.between({api.title!r})" if api.title in message_types() else ""
            raise UsageError(f"mockbroker does not serve {api.title}, so no request of it can be met{hint}")
        return api

    def _messages(self, what: object) -> tuple[str, ...]:
        if what in _ANY:
            return ()
        known = message_types()
        for one in _several(what):
            if not isinstance(one, str) or one not in known:
                hint = _like(str(one), known)
                if isinstance(one, str) and _is_api(one):
                    hint += f"; for what clients send, use faults.on({one!r})"
                raise UsageError(f"no message {one!r} is said between brokers: there are {list(known)}{hint}")
        return tuple(map(str, dict.fromkeys(_several(what))))

    # -- matchers ---------------------------------------------------------------------------------

    def _check_names(self, place: Place, given: Mapping[str, object]) -> None:
        known = _KNOWN.get(place, OF_CALLS)
        for matcher in given:
            if matcher == "principal":
                raise UsageError("principal: mockbroker has no security yet, so every client is anonymous")
            if matcher in known:
                continue
            if matcher == "broker" and place is Place.BETWEEN:
                raise UsageError("broker: a message has two ends, say which with source= or to=")
            if matcher in (*OF_CALLS, *OF_MESSAGES):
                raise UsageError(
                    f"{matcher}: a rule on `{place.value}` has no such matcher: it has {list(known)}"
                )
            raise UsageError(f"no matcher {matcher!r}: there are {list(known)}{_like(matcher, known)}")

    def _values(self, matcher: str, given: object) -> tuple[Any, ...]:
        if matcher in ROADS:
            given = tuple(CONTROLLER if one == "controller" else one for one in _several(given))
        values = tuple(dict.fromkeys(_several(given)))
        if not values:
            raise UsageError(f"{matcher}: none given, so nothing could match; leave it out to match any")
        kind = str if matcher in TEXTS else int
        for value in values:
            if not isinstance(value, kind) or isinstance(value, bool):
                expected = "a text" if kind is str else "a number"
                raise UsageError(f"{matcher}={value!r}: expected {expected}, or several")
            if matcher in (*ROADS, "broker") and value not in (
                *self._nodes,
                *((CONTROLLER,) if matcher in ROADS else ()),
            ):
                raise UsageError(f"{matcher}={value!r}: there are the brokers {list(self._nodes)}")
        return values

    def _check_subject(self, place: Place, name: str, where: Iterable[str]) -> None:
        for matcher in where:
            if place is Place.BETWEEN:
                if matcher not in ROADS and not message_names(message_types()[name], matcher):
                    raise UsageError(f"{matcher}: {name} messages have none; match them by source= and to=")
            elif not names(Api.named(name), matcher):
                others = [m for m in (*TEXTS, *NUMBERS) if names(Api.named(name), m)]
                raise UsageError(
                    f"{matcher}: {name} requests have none; they can be matched by {', '.join(others)}"
                )

    def _check_counters(self, given: Mapping[str, object]) -> None:
        for one, other in _CONTRADICTORY:
            if one in given and other in given:
                raise UsageError(f"{one} and {other} contradict each other: give one of them")
        for counter in ("nth", "every", "times"):
            value = given.get(counter, 1)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UsageError(f"{counter}={value!r}: expected a whole number from 1 up")
        chance = given.get("probability", 0.5)
        if not isinstance(chance, int | float) or isinstance(chance, bool) or not 0 < chance <= 1:
            raise UsageError(f"probability={chance!r}: expected a number above 0 and up to 1")

    # -- actions ----------------------------------------------------------------------------------

    def _check_action(self, place: Place, named: tuple[str, ...], action: Action) -> None:
        kind = action.kind
        if kind in OF_NETWORK:
            raise UsageError(f"{kind.value} befalls connections, and not requests: use faults.network(...)")
        if place is Place.BETWEEN:
            if kind not in (Kind.DROP, Kind.DELAY, Kind.HOLD):
                hint = (
                    "drop() loses a message as a broken connection does"
                    if kind is not Kind.THROTTLE
                    else "use delay()"
                )
                raise UsageError(
                    f"{kind.value} means nothing between brokers: {hint}; hold() and delay() work, too"
                )
            if kind is Kind.DROP and (not named or "LoadCoordinator" in named):
                raise UsageError(
                    "LoadCoordinator is what a broker tells itself, and cannot get lost: hold() or delay() it"
                    + ("; name the messages to drop instead of '*'" if not named else "")
                )
        elif place is Place.ON and kind in (Kind.CORRUPT, Kind.TRUNCATE):
            raise UsageError(
                f"{kind.value}: before the handler there is no answer yet; use faults.after(...)"
            )
        elif kind in (Kind.THROTTLE, Kind.CORRUPT, Kind.TRUNCATE):
            for name in named:
                if kind is Kind.THROTTLE and "throttle_time_ms" not in Api.named(name).response.declared:
                    raise UsageError(f"throttle: {name} has no place for it in its answer; use delay()")
        if kind is Kind.FAIL and action.error is ErrorCode.NONE:
            raise UsageError("fail: NONE is no error; give one of Kafka's, like 'NOT_COORDINATOR'")


# What befalls connections.
OF_NETWORK = frozenset({
    Kind.PARTITION, Kind.HALF_OPEN, Kind.RESET, Kind.BANDWIDTH, Kind.ACCEPT_THEN_SILENCE, Kind.REFUSE,
})  # fmt: skip


def check_connections(where: Mapping[str, tuple[Any, ...]], kind: Kind) -> None:
    """Refuse what cannot befall these connections."""
    if kind not in OF_NETWORK:
        raise UsageError(
            f"{kind.value} befalls requests, and not connections: use faults.on(...) or faults.after(...)"
        )
    if not any(road in where for road in ROADS):
        if kind is Kind.REFUSE and "client_id" in where:
            raise UsageError("refuse: a broker does not know who knocks; partition() is for one client")
        return
    if any(matcher not in ROADS for matcher in where):
        raise UsageError(
            "source= and to= are brokers, client_id= and broker= a client's connections: give one or the other"
        )
    if kind is not Kind.PARTITION:
        raise UsageError(
            f"{kind.value} is for clients: between brokers there is partition(), and faults.between(...)"
        )
    ends = {end for road in ROADS for end in where.get(road, ())}
    if all(road in where for road in ROADS) and len(ends) < 2:
        raise UsageError(f"source= and to= are both {ends.pop()}: nothing lies between a broker and itself")


def error_named(error: object) -> ErrorCode:
    """Kafka's error of this name."""
    if not isinstance(error, str | ErrorCode):
        raise UsageError(f"{error!r} is no error: write 'NOT_COORDINATOR' or ErrorCode.NOT_COORDINATOR")
    try:
        return ErrorCode.named(error)
    except ValueError as unknown:
        raise UsageError(str(unknown)) from None


def message_names(kind: type[Message], matcher: str) -> bool:
    """Whether a message, or the one that it answers, has what a matcher asks for."""
    slots = getattr(kind, "__slots__", ())
    if "asked" in slots:
        slots = getattr(message_types()[kind.__name__.removesuffix("Response")], "__slots__", ())
    if matcher == "transactional_id":
        return matcher in slots
    return "places" in slots or ("topic" in slots and "index" in slots)


def _several(given: object) -> tuple[Any, ...]:
    if isinstance(given, list | tuple | range):
        return tuple(given)
    return tuple(sorted(given, key=repr)) if isinstance(given, set | frozenset) else (given,)


def _is_api(name: str) -> bool:
    try:
        return bool(Api.named(name).title)
    except ValueError:
        return False


def _like(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=2)
    return f"; did you mean {' or '.join(near)}?" if near else ""
