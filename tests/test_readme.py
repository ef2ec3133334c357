"""What the README shows is so: its Python is run, and the names it lists exist."""

import re
import subprocess
import sys
from pathlib import Path

import mockbroker
from mockbroker import Cluster
from mockbroker.handles.armed import Gate
from mockbroker.handles.brokers import Broker, ClockHandle
from mockbroker.handles.faults import Subject
from mockbroker.handles.ghosts import Ghost, PayerGhost
from mockbroker.handles.groups import Group
from mockbroker.handles.network_faults import Connections
from mockbroker.handles.partitions import Partition
from mockbroker.handles.topics import Topic
from mockbroker.handles.transactions import Transaction

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def test_the_tests_it_shows_pass(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert blocks
    (tmp_path / "test_shown.py").write_text("\n".join(blocks), "utf-8")

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_methods_it_lists_exist() -> None:
    rows = [
        line for line in README.splitlines() if line.startswith(("| `cluster.", "| `.partition", "| `group."))
    ]
    handles: list[tuple[type, ...]] = [
        (Topic,),
        (Partition,),
        (Group,),
        (Broker,),
        (ClockHandle,),
        (Subject, Gate),
        (Connections,),
        (Ghost, PayerGhost),
        (Transaction,),
        (Cluster,),
        (Cluster,),
    ]
    for row, any_of in zip(rows, handles, strict=True):
        for name in re.findall(r"`(\w+)(?:\([^`]*\))?`", row.split("|")[2]):
            assert any(hasattr(handle, name) for handle in any_of), (
                f"{any_of} have no {name}, as the README says"
            )


def test_it_leads_to_every_page_of_the_guide() -> None:
    shipped = {path.name for path in (Path(__file__).parent.parent / "mockbroker/guide").glob("*.md")}
    assert set(re.findall(r"\]\(mockbroker/guide/([\w-]+\.md)\)", README)) == shipped


def test_the_front_doors_are_public() -> None:
    assert mockbroker.Cluster is not None
    assert mockbroker.open_cluster is not None
