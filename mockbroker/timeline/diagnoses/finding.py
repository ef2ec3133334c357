"""What a diagnosis gives: sentences, and the events that they speak of.

A value and nothing more: how it is laid out is the report's affair.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mockbroker.core.event import Event


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What happened and what follows; what to do about it; the numbers of the events that show it."""

    text: str
    advice: str = ""
    events: tuple[int, ...] = ()
    # Which diagnosis it is; two of one name about the same events say the same, at different times.
    name: str = ""

    @property
    def about(self) -> tuple[object, ...]:
        """What it has in common with another that says the same."""
        return self.name, self.events or self.text

    def __str__(self) -> str:
        return f"{self.text}\n{self.advice}" if self.advice else self.text


def numbers(events: Iterable[Event]) -> tuple[int, ...]:
    """The numbers of these events."""
    return tuple(event.number for event in events)
