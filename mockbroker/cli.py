"""The command `mockbroker`: finds the command that was named and hands it the rest of the line.

Imports nothing but what that takes: `mockbroker --help` must not wait for a network library.  A command is
a module with `main(arguments) -> exit code`; what its flags mean is its own business.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple, cast

EXIT_USAGE = 2


class Command(NamedTuple):
    """Where a command lives, and what it does in a line."""

    module: str
    summary: str


COMMANDS = {
    "serve": Command("mockbroker.serve.command", "run a cluster until it is told to stop"),
    "demo": Command("mockbroker.demo", "watch a cluster at work, with a real client"),
    "apis": Command("mockbroker.cli_apis", "list the Kafka APIs that are served, with their versions"),
    "guide": Command("mockbroker.cli_guide", "read the manual"),
}

HELP = """\
usage: mockbroker COMMAND [ARGUMENT ...]

A Kafka-compatible broker emulator for tests.

commands:
{commands}

`mockbroker COMMAND --help` tells what a command takes; `mockbroker --version` which release this is.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code of the process."""
    name, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help", "help"):
        commands = "\n".join(f"  {name:8}{command.summary}" for name, command in COMMANDS.items())
        print(HELP.format(commands=commands), end="")
        return 0
    if name in ("-V", "--version", "version"):
        from mockbroker import __version__

        print(f"mockbroker {__version__}")
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
        print(f"mockbroker: there is no command {name!r}; {hint}", file=sys.stderr)
        return EXIT_USAGE
    run = cast("Callable[[list[str]], int]", import_module(COMMANDS[name].module).main)
    return run(rest)
