"""Where a log of the wire goes to, as it is written on a command line and in the environment.

A module of its own, because the pytest plugin must not import more than this before it is used.
"""

from __future__ import annotations

_ON = {"-", "1", "true", "yes"}
_OFF = {"", "0", "false", "no"}


def wire_target(text: str) -> str | bool:
    """A file, True for standard error ("-", "1", "true", "yes"), or False for none ("0", "false", "no")."""
    if text.lower() in _ON:
        return True
    return False if text.lower() in _OFF else text
