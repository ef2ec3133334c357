"""The jars of one Kafka release, resolved with Maven once and kept in the user's cache.

Promises a directory that holds everything a broker of that release needs on its class path.  Knows
coordinates only: where they come from is Maven's business and the machine's settings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

# A cold resolve is about 46 MB; a minute is plenty on a good line, ten bound a bad one.
RESOLVE_TIMEOUT_S = 600

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>conformance</groupId><artifactId>kafka-jars</artifactId><version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""


class JarsMissing(RuntimeError):
    """A release cannot be had here: no Java, no Maven, or no way to the artifacts. Says which."""


def cache_directory() -> Path:
    """Where downloads are kept: `MOCKBROKER_CACHE`, else a folder in the user's own cache."""
    if chosen := os.environ.get("MOCKBROKER_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mockbroker"


def coordinates(version: str) -> list[tuple[str, str, str]]:
    """What a broker of this release needs beside what Kafka's own pom names: a logging back end."""
    major = int(version.split(".", 1)[0])
    # Up to 3.9 the broker names log4j 1.x classes itself, so it does not even load without them.
    # From 4.0 any binding does; this one prints to stderr, which is where a failed start is explained.
    binding = "slf4j-simple" if major >= 4 else "slf4j-reload4j"
    return [("org.apache.kafka", "kafka_2.13", version), ("org.slf4j", binding, "1.7.36")]


def kafka_jars(version: str) -> Path:
    """The directory of the release's jars, resolved now if this is the first time."""
    home = cache_directory() / "kafka" / version
    if not home.is_dir():
        for tool in ("java", "mvn"):
            if shutil.which(tool) is None:
                raise JarsMissing(f"Kafka {version} needs `{tool}` on the PATH, and there is none")
        home.parent.mkdir(parents=True, exist_ok=True)
        _resolve(version, home)
    return home


def _resolve(version: str, home: Path) -> None:
    """Fill a directory beside `home` and rename it: a half-resolved release is never seen."""
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{version}-") as scratch:
        pom, jars = Path(scratch, "pom.xml"), Path(scratch, "jars")
        pom.write_text(_POM.format(dependencies="".join(map(_dependency, coordinates(version)))))
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        done = subprocess.run(
            [*command, "-DincludeScope=runtime", f"-DoutputDirectory={jars}"],
            capture_output=True,
            text=True,
            timeout=RESOLVE_TIMEOUT_S,
            check=False,
        )
        if done.returncode or not any(jars.glob("kafka-clients-*.jar")):
            raise JarsMissing(
                f"Maven could not resolve Kafka {version}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        try:
            jars.rename(home)
        except OSError:
            # Somebody else resolved the same release meanwhile; theirs is as good as ours.
            if not home.is_dir():
                raise


def _dependency(coordinate: tuple[str, str, str]) -> str:
    names = zip(("groupId", "artifactId", "version"), coordinate, strict=True)
    return "<dependency>" + "".join(f"<{name}>{value}</{name}>" for name, value in names) + "</dependency>"
