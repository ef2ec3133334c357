"""Flags that can also come from the environment: `--max-request 5` or `MOCKBROKER_MAX_REQUEST=5`.

A flag wins over the environment, that over the default.  An unknown flag is an error that suggests the one
that was meant.  Knows nothing of what the flags are for.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

ENVIRONMENT_PREFIX = "MOCKBROKER_"
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(slots=True, frozen=True)
class Flag:
    """One setting of a command.

    `read` makes a value of its text, or raises ValueError with a sentence; None makes the flag a switch.
    A flag that repeats takes several values, in the environment separated by blanks.
    """

    name: str
    help: str
    read: Callable[[str], Any] | None = str
    metavar: str | None = None
    short: str | None = None
    repeats: bool = False
    negatable: bool = False
    # What a flag that may stand without its value means then.
    bare: str | None = None

    @property
    def key(self) -> str:
        """The name as an attribute."""
        return self.name.removeprefix("--").replace("-", "_")

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return ENVIRONMENT_PREFIX + self.key.upper()


class Parser(argparse.ArgumentParser):
    """An argument parser for a list of Flags."""

    def __init__(self, command: str, description: str, flags: Sequence[Flag], epilog: str = "") -> None:
        super().__init__(prog=command, description=description, epilog=epilog, allow_abbrev=False)
        self._flags = flags
        for flag in flags:
            names = [flag.short, flag.name] if flag.short else [flag.name]
            help_text = f"{flag.help} [{flag.variable}]".replace("%", "%%")
            if flag.read is None:
                switch = argparse.BooleanOptionalAction if flag.negatable else "store_true"
                self.add_argument(*names, action=switch, default=None, help=help_text)
            else:
                action = "append" if flag.repeats else "store"
                bare: dict[str, Any] = {} if flag.bare is None else {"nargs": "?", "const": flag.bare}
                self.add_argument(*names, action=action, metavar=flag.metavar, help=help_text, **bare)

    def values(self, arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        """Read everything that was given; what was not is None.  Ends the process where it makes no sense."""
        given, strangers = self.parse_known_args(arguments)
        if strangers:
            self._refuse(strangers)
        return {flag.key: self._value(flag, getattr(given, flag.key), environment) for flag in self._flags}

    def _value(self, flag: Flag, given: Any, environment: Mapping[str, str]) -> Any:
        source = flag.name
        if given is None:
            text = environment.get(flag.variable)
            if text is None:
                return None
            source = flag.variable
            given = text.split() if flag.repeats else text
        try:
            if flag.read is None:
                return given if isinstance(given, bool) else _truth(given)
            if flag.repeats:
                return [flag.read(one) for one in given]
            return flag.read(given)
        except ValueError as wrong:
            self.error(f"{source}: {wrong}")

    def _refuse(self, strangers: Sequence[str]) -> NoReturn:
        name = strangers[0].split("=")[0]
        if not name.startswith("-"):
            self.error(f"{name!r} stands alone; every argument of this command begins with a flag")
        near = difflib.get_close_matches(name, [flag.name for flag in self._flags], n=1)
        hint = f"; did you mean {near[0]}?" if near else "; --help lists them all"
        self.error(f"there is no flag {name}{hint}")


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise ValueError(f"{text!r} is neither true nor false")
    return _TRUTH[text.lower()]


def number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Read a whole number within bounds."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"{text!r} is no whole number") from None
        if value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            raise ValueError(f"{value} is out of bounds: {bounds}")
        return value

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """Read one of a few words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return read
