"""`mockbroker apis`: which APIs this release answers, and in which versions.

Printed from the handlers themselves, so that it cannot promise what they do not keep; `--json` for machines.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from mockbroker.handlers import HANDLERS


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="mockbroker apis", description="List the Kafka APIs that are served.", allow_abbrev=False
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line instead of a table")
    as_json = parser.parse_args(arguments).json
    for api in sorted(HANDLERS):
        first, last = HANDLERS[api].min_version, HANDLERS[api].max_version
        if as_json:
            line = json.dumps({"key": int(api), "name": api.title, "min_version": first, "max_version": last})
        else:
            line = f"{int(api):3}  {api.title:32} {first}-{last}"
        sys.stdout.write(line + "\n")
    return 0
