"""Rules as plain data, for JSON and TOML: a list of tables with the names that the methods have.

    [[faults]]
    after = "Produce"
    topic = "orders"
    nth = 1
    do = "disconnect"

Reading goes through the same checks as the methods do.  A rule with a function in it cannot be written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mockbroker.core.durations import duration_ms
from mockbroker.core.links import CONTROLLER
from mockbroker.core.rates import bytes_per_s
from mockbroker.core.usage import UsageError
from mockbroker.faults.checks import COUNTERS, ROADS, error_named
from mockbroker.faults.rule import LEASE_MS, Action, Kind, Place, Rule

if TYPE_CHECKING:
    from mockbroker.faults.checks import Checker

# What each action needs besides its name, and under which name.
_NEEDS = {
    Kind.FAIL: "error",
    Kind.DELAY: "duration",
    Kind.THROTTLE: "duration",
    Kind.TRUNCATE: "bytes",
    Kind.HOLD: "lease",
    Kind.BANDWIDTH: "rate",
}


def written(rule: Rule) -> dict[str, Any]:
    """A rule as a table.  Raises UsageError for one with a `when=`."""
    if rule.when is not None:
        raise UsageError(f"the fault {rule.name!r} has a when=, and a function is no data: use matchers only")
    table: dict[str, Any] = {rule.place.value: _one_or_more(rule.what or ("*",))}
    for matcher, values in rule.where.items():
        named = ["controller" if matcher in ROADS and one == CONTROLLER else one for one in values]
        table[matcher] = _one_or_more(named)
    table |= {name: value for name in COUNTERS if (value := getattr(rule, name)) is not None}
    action = rule.action
    table["do"] = action.kind.value
    needs = {
        "error": action.error.name,
        "duration": f"{action.ms}ms",
        "bytes": action.bytes,
        "lease": f"{action.ms}ms",
        "rate": f"{action.rate} B/s",
    }
    if action.kind in _NEEDS:
        table[_NEEDS[action.kind]] = needs[_NEEDS[action.kind]]
    table["name"] = rule.name
    if rule.optional:
        table["optional"] = True
    return table


def _one_or_more(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def read(data: object, checker: Checker) -> list[Rule]:
    """The rules in `data`: what `dump` gave, or a list of tables.  Raises UsageError with what is wrong where."""
    tables = data.get("faults") if isinstance(data, Mapping) else data
    if not isinstance(tables, Sequence) or isinstance(tables, str):
        raise UsageError("expected {'faults': [...]}, as dump() gives it, or a list of tables")
    rules = []
    for number, table in enumerate(tables, start=1):
        try:
            rules.append(_rule(table, checker))
        except UsageError as wrong:
            raise UsageError(f"fault {number} of {len(tables)}: {wrong}") from None
    return rules


def _rule(table: object, checker: Checker) -> Rule:
    if not isinstance(table, Mapping):
        raise UsageError(f"{table!r} is no table of names and values")
    given = dict(table)
    places = [place for place in Place if place.value in given]
    if len(places) != 1:
        raise UsageError(
            "expected one of on, after and between, with the name of an API or a message, or network = '*'"
        )
    if "when" in given:
        raise UsageError("when= is a function, and cannot be data")
    what, action = given.pop(places[0].value), _action(given)
    return checker.rule(places[0], what, given)(action)


def _action(given: dict[str, Any]) -> Action:
    """The action, taken out of the table."""
    named = given.pop("do", None)
    kinds = {kind.value: kind for kind in Kind}
    if named not in kinds:
        raise UsageError(f"do={named!r}: expected one of {', '.join(kinds)}")
    kind = kinds[named]
    need = _NEEDS.get(kind)
    value = given.pop(need, None) if need is not None else None
    if value is None and need not in (None, "lease"):
        raise UsageError(f"do={named!r} needs {need}")
    return action_of(kind, value)


def action_of(kind: Kind, value: Any = None) -> Action:
    """An action with its one argument, checked: an error, a duration, a number of bytes, a rate."""
    if kind is Kind.FAIL:
        return Action(kind, error=error_named(value))
    if kind is Kind.HOLD:
        return Action(kind, ms=LEASE_MS if value is None else _some_ms(kind, value))
    if kind in (Kind.DELAY, Kind.THROTTLE):
        return Action(kind, ms=_some_ms(kind, value))
    if kind is Kind.BANDWIDTH:
        return Action(kind, rate=bytes_per_s(value))
    if kind is Kind.TRUNCATE:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise UsageError(f"truncate({value!r}): expected how many bytes of the answer leave, from 0 up")
        return Action(kind, bytes=value)
    return Action(kind)


def _some_ms(kind: Kind, duration: Any) -> int:
    ms = duration_ms(duration)
    if not ms:
        raise UsageError(f"{kind.value} {duration!r}: expected at least a millisecond")
    return ms
