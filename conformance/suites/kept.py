"""What is fetched and built once and kept in the user's cache: suites, and the environments they run in.

A thing is named by a digest of what it is made from, so that a new version makes a new one and nothing is
ever stale.  Promises a folder, or a Missing with the reason: no such tool, no way to the registry.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from conformance.against_kafka.jars import cache_directory
from conformance.clients.programs import Missing

# A C library and its tests take two minutes on two idle cores; ten bound a busy machine and a bad line.
STEP_TIMEOUT_S = 600


def kept(
    name: str, made_from: Sequence[str], make: Callable[[Path], None], tools: Sequence[str] = ()
) -> Path:
    """The folder `name`, made now if it is not there: beside its place first, as half of it is no use."""
    digest = hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:12]
    home = cache_directory() / "suites" / f"{name}-{digest}"
    if home.is_dir():
        return home
    for tool in tools:
        if shutil.which(tool) is None:
            raise Missing(f"{name} needs `{tool}` on the PATH, and there is none")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{name}-") as scratch:
        place = Path(scratch, "made")
        place.mkdir()
        make(place)
        try:
            place.rename(home)
        except OSError:
            # Somebody else made the same meanwhile; theirs is as good as ours.
            if not home.is_dir():
                raise
    return home


def step(command: Sequence[str], place: Path) -> str:
    """One step of making it; gives what it printed, which is the reason if it fails."""
    try:
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, timeout=STEP_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise Missing(f"`{' '.join(command)}` takes longer than {STEP_TIMEOUT_S} s") from late
    if done.returncode:
        raise Missing(f"`{' '.join(command)}` failed: {done.stdout[-1500:]}{done.stderr[-1500:]}")
    return done.stdout


def unpack(place: Path, pattern: str) -> Path:
    """Open the one archive of that name in `place`; gives the one folder that archives of sources hold."""
    (archive,) = place.glob(pattern)
    opened = place / "opened"
    with tarfile.open(archive) as tar:
        tar.extractall(opened, filter="data")
    archive.unlink()
    (folder,) = opened.iterdir()
    bare = folder.rename(place / f"{folder.name}.opened")
    opened.rmdir()
    return bare
