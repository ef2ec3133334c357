"""`mockbroker serve`: a cluster in a process of its own, for any client and any language.

Turns a command line into an exit code that scripts can rely on.  Flags are read before anything heavy is
imported, so that `--help` and a misspelled flag are answered at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from mockbroker.core.usage import UsageError
from mockbroker.serve.holder import holder_of
from mockbroker.serve.options import read_options
from mockbroker.server.ports import PortInUse

EXIT_STOPPED = 0
EXIT_USAGE = 2
EXIT_PORT_IN_USE = 3
EXIT_INTERNAL = 70


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop."""
    options = read_options(arguments, os.environ)
    from mockbroker.serve.logs import speak
    from mockbroker.serve.serving import run

    speak(options.log, options.log_level)
    try:
        bugs = run(options)
    except PortInUse as taken:
        holder = holder_of(taken.port)
        by_whom = f" by {holder}" if holder else ""
        return _give_up(
            f"port {taken.port} on {taken.host} is in use{by_whom}; stop it, choose another one with --port, "
            "or have free ones chosen with --port 0",
            EXIT_PORT_IN_USE,
        )
    except UsageError as wrong:
        return _give_up(str(wrong), EXIT_USAGE)
    except KeyboardInterrupt:
        return EXIT_STOPPED  # just before or after the signals were ours; nobody wants a traceback of it
    except Exception:  # noqa: BLE001 - whatever it is, it is ours, and the exit code says so
        traceback.print_exc()
        return _give_up("this is a bug in mockbroker, please report it", EXIT_INTERNAL)
    if bugs:
        return _give_up(
            f"{len(bugs)} bug(s) in mockbroker were met, see above; please report them", EXIT_INTERNAL
        )
    return EXIT_STOPPED


def _give_up(why: str, exit_code: int) -> int:
    sys.stderr.write(f"mockbroker serve: {why}\n")
    return exit_code
