"""What a failed test is shown of its clusters, and the files with the whole of it.

For whoever runs tests: the pytest plugin, and a `unittest` that wants the same.  Also works for a cluster that
is closed already.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mockbroker.core.usage import UsageError
from mockbroker.evidence import faults_of, gather, opened
from mockbroker.options import VERSION
from mockbroker.server.portal import Stuck
from mockbroker.timeline import page, plain
from mockbroker.timeline.report import report

if TYPE_CHECKING:
    from mockbroker.controls import ClusterControls
    from mockbroker.timeline.evidence import Evidence

# Names of files are cut here; the hash behind them tells tests apart that begin alike.
SLUG_CHARACTERS_MAX = 60
HASH_CHARACTERS = 8

# Writing a line takes a tenth of a millisecond, and nobody waits longer than two seconds for a report.
EVENTS_TOLD_MAX = 20_000


def evidence_of(cluster: ClusterControls[Any, Any, Any]) -> Evidence:
    """How everything stands now, or stood when the cluster was closed."""
    try:
        evidence = cluster.do(lambda: gather(cluster.world, cluster.server))
    except (UsageError, Stuck):
        # Nothing moves any more, so it may be looked at from here.
        evidence = gather(cluster.world, cluster.server if cluster.is_open else None)
    return opened(evidence, EVENTS_TOLD_MAX)


def title_of(cluster: ClusterControls[Any, Any, Any]) -> str:
    """The heading over a report."""
    count = len(cluster.world.nodes)
    brokers = f"{count} broker{'' if count == 1 else 's'}"
    return f"mockbroker timeline (kafka {VERSION}, seed {cluster.seed}, {brokers})"


def file_stem(test_id: str, number: int = 0) -> str:
    """A name for a test's files, made of letters and digits only, whatever the id has in it."""
    name = test_id.rsplit("::", 1)[-1]
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:SLUG_CHARACTERS_MAX] or "test"
    digest = hashlib.sha256(test_id.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARACTERS]
    return f"{slug}-{digest}" + (f"-{number + 1}" if number else "")


def write_artifacts(evidence: Evidence, folder: Path, stem: str, title: str) -> Path:
    """Write the whole history as a page and as JSON lines; give the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", "utf-8")  # results of runs belong to no repository
    (folder / f"{stem}.jsonl").write_text(plain.jsonl(evidence), "utf-8")
    target = folder / f"{stem}.html"
    target.write_text(page.html(evidence, title), "utf-8")
    return target


def report_of(evidence: Evidence, full_log: str = "") -> str:
    """The text of a report."""
    return report(evidence, full_log=full_log)


def unfired_of(cluster: ClusterControls[Any, Any, Any]) -> list[str]:
    """The faults that were armed and never acted, a line for each; none where the cluster is not strict."""
    if not cluster.options.strict_faults or not cluster.is_open:
        return []
    try:
        faults = cluster.do(lambda: list(faults_of(cluster.server)))
    except (UsageError, Stuck):
        faults = list(faults_of(cluster.server))
    return [fault.told for fault in faults if not fault.hits and not fault.optional]
