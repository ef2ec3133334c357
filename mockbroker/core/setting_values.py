"""Values of settings: the types that Kafka gives them, how they are read from text and written to it.

A value travels as text, in properties files and on the wire alike.  This module knows types, bounds and the
sentences that say what is wrong with a value; it knows no setting by name.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any


class ValueType(IntEnum):
    """The types of DescribeConfigs, by the protocol's numbers."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class BadValue(ValueError):
    """This text is not a value of that setting.  `reason` is the part after the colon."""

    def __init__(self, name: str, text: str | None, reason: str) -> None:
        super().__init__(f"Invalid value {text} for configuration {name}: {reason}")
        self.reason = reason


# A check looks at one value that was read and returns what is wrong with it, or None.
Check = Callable[[Any], str | None]

_BITS = {ValueType.INT: 32, ValueType.SHORT: 16, ValueType.LONG: 64}
LONG_MAX = 2**63 - 1


def read_value(name: str, type_: ValueType, text: str) -> Any:
    """The value that `text` stands for, by Kafka's rules: blanks around it never count."""
    trimmed = text.strip()
    if type_ in _BITS:
        return _read_integer(name, type_, text, trimmed)
    if type_ is ValueType.BOOLEAN:
        if trimmed.lower() not in ("true", "false"):
            raise BadValue(name, text, "Expected value to be either true or false")
        return trimmed.lower() == "true"
    if type_ is ValueType.DOUBLE:
        try:
            return float(trimmed)
        except ValueError:
            raise BadValue(name, text, "Not a number of type DOUBLE") from None
    if type_ is ValueType.LIST:
        return tuple(item.strip() for item in trimmed.split(",")) if trimmed else ()
    return trimmed


def _read_integer(name: str, type_: ValueType, text: str, trimmed: str) -> int:
    # int() also takes underscores, blanks and non-ASCII digits; Java's parsers do not.
    digits = trimmed[1:] if trimmed[:1] in ("-", "+") else trimmed
    limit = 2 ** (_BITS[type_] - 1)
    # A long number is long before it is converted: nobody waits for a megabyte of digits.
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20 and -limit <= int(trimmed) < limit):
        raise BadValue(name, text, f"Not a number of type {type_.name}")
    return int(trimmed)


def write_value(value: object) -> str | None:
    """The text of a value, as DescribeConfigs shows it."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value).replace("e+", "E").replace("e", "E")
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def at_least(bound: int) -> Check:
    """Numbers from `bound` up."""
    return lambda value: None if value >= bound else f"Value must be at least {bound}"


def between(low: float, high: float) -> Check:
    """Numbers from `low` to `high`, both included."""

    def check(value: float) -> str | None:
        if value < low:
            return f"Value must be at least {low}"
        return None if value <= high else f"Value must be no more than {high}"

    return check


def one_of(*allowed: str) -> Check:
    """One of a few words."""
    return lambda value: None if value in allowed else f"String must be one of: {', '.join(allowed)}"


def items_of(*allowed: str) -> Check:
    """A list of some of these words.  An empty one is a list too (KIP-1161)."""

    def check(value: tuple[str, ...]) -> str | None:
        strangers = [item for item in value if item not in allowed]
        return f"String must be one of: {', '.join(allowed)}" if strangers else None

    return check
