from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mockbroker import cli
from mockbroker.protocol.messages.metadata import MetadataRequest
from mockbroker.serve.flags import Parser
from mockbroker.serve.options import FLAGS, TopicOption, read_options
from tests.server.wire import DEADLINE_S, answer_in, framed

ROOT = Path(__file__).parent.parent


class Serving:
    """A `mockbroker serve` that is ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=DEADLINE_S)[1]
        self.ready: dict[str, Any] = json.loads(line)

    def end(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal; give exit code, the rest of standard output, and standard error."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, err


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mockbroker", *arguments]


@contextlib.contextmanager
def serving(*arguments: str, **how: Any) -> Iterator[Serving]:
    """Run `mockbroker serve` on free ports, until the block ends at the latest."""
    with subprocess.Popen(
        command("serve", "--port", "0", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **how,
    ) as process:
        try:
            yield Serving(process)
        finally:
            process.kill()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        text=True,
        timeout=DEADLINE_S,
    )


def metadata_of(ready: dict[str, Any]) -> Any:
    """Ask the first broker for everything."""
    broker, request = ready["brokers"][0], MetadataRequest(topics=None)
    with socket.create_connection((broker["host"], broker["port"]), DEADLINE_S) as client:
        client.sendall(framed(request, 9))
        stream = client.makefile("rb")
        size = int.from_bytes(stream.read(4), "big")
        return answer_in(request, 9, stream.read(size))[1]


# -- serving --------------------------------------------------------------------------------------


def test_a_cluster_says_on_one_line_that_it_is_ready_and_nothing_else() -> None:
    with serving("--topic", "orders:6:3", "--topic", "invoices", "--log", "json") as cluster:
        ready = cluster.ready
        assert ready["event"] == "ready"
        assert ready["pid"] == cluster.process.pid
        assert [broker["id"] for broker in ready["brokers"]] == [1, 2, 3]
        assert ready["bootstrap"] == ",".join(f"{b['host']}:{b['port']}" for b in ready["brokers"])
        told = metadata_of(ready)
        assert told.cluster_id == ready["cluster_id"]
        assert {topic.name: len(topic.partitions) for topic in told.topics}["orders"] == 6
        copies = {t.name: {len(p.replica_nodes) for p in t.partitions} for t in told.topics}
        assert copies == {"orders": {3}, "invoices": {3}}, "three replicas unless something else is asked for"
        code, more, log = cluster.end()
    assert (code, more) == (0, "")
    assert {json.loads(line)["level"] for line in log.splitlines()} == {"info"}


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_with_clients_connected(by: signal.Signals) -> None:
    with serving("--brokers", "1") as cluster:
        broker = cluster.ready["brokers"][0]
        with socket.create_connection((broker["host"], broker["port"]), DEADLINE_S):
            assert cluster.end(by)[0] == 0


def test_brokers_have_the_ids_and_racks_that_they_were_given() -> None:
    with serving("--node-ids", "7,9", "--racks", "a,b") as cluster:
        told = metadata_of(cluster.ready)
    assert [(broker.node_id, broker.rack) for broker in told.brokers] == [(7, "a"), (9, "b")]


def test_one_seed_gives_one_cluster() -> None:
    ids = []
    for _ in range(2):
        with serving("--seed", "7", "--brokers", "1") as cluster:
            ids.append(cluster.ready["cluster_id"])
    assert ids[0] == ids[1]


def test_the_ready_line_goes_to_a_file_and_a_descriptor_too(tmp_path: Path) -> None:
    ports_file, (reading, writing) = tmp_path / "ports.json", os.pipe()
    with serving("--ports-file", str(ports_file), "--ready-fd", str(writing), pass_fds=[writing]) as cluster:
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as pipe:
            assert json.loads(pipe.read()) == cluster.ready  # read to its end: the descriptor was closed
        assert json.loads(ports_file.read_text("utf-8")) == cluster.ready
    assert [path.name for path in tmp_path.iterdir()] == ["ports.json"]


def test_whoever_is_taken_says_so_with_the_holder_and_a_way_out() -> None:
    with serving("--brokers", "1") as cluster:
        port = cluster.ready["brokers"][0]["port"]
        ended = run("serve", "--brokers", "1", "--port", str(port))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert f"port {port} on 127.0.0.1 is in use" in ended.stderr
    assert "--port 0" in ended.stderr
    if sys.platform == "linux":
        assert f"pid {cluster.process.pid}" in ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork to orphan a child with")
def test_it_ends_with_the_process_that_started_it() -> None:
    launcher = (
        "import subprocess, sys; "
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True); "
        "print(child.stdout.readline(), flush=True); sys.stdin.read()"
    )
    arguments = command("serve", "--port", "0", "--brokers", "1", "--exit-with-parent")
    with subprocess.Popen(
        [sys.executable, "-c", launcher, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        ready = json.loads(parent.stdout.readline())
        broker = ready["brokers"][0]
        with socket.create_connection((broker["host"], broker["port"]), DEADLINE_S) as client:
            parent.kill()
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
            # The server is the last who holds this pipe open, so its end is the server's end.
            parent.stderr.read()


def test_where_the_kernel_does_not_tell_the_end_of_the_parent_its_pipe_does() -> None:
    program = "import trio; from mockbroker.serve import parent; trio.run(parent.wait_until_input_ends)"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdin is not None
        child.stdin.write(b"not the end")
        child.stdin.close()
        assert child.wait(DEADLINE_S) == 0


def test_a_bug_that_was_met_is_told_by_the_exit_code() -> None:
    program = """
import dataclasses, sys
from mockbroker.cli import main
from mockbroker.handlers import HANDLERS
from mockbroker.protocol.apis import Api

broken = dataclasses.replace(HANDLERS[Api.METADATA], answer=lambda call, node: 1 // 0)
HANDLERS[Api.METADATA] = broken
sys.exit(main(["serve", "--port", "0", "--brokers", "1"]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        cluster = Serving(process)
        broker = cluster.ready["brokers"][0]
        with socket.create_connection((broker["host"], broker["port"]), DEADLINE_S) as client:
            client.sendall(framed(MetadataRequest(topics=None), 9, client_id="unlucky"))
            assert client.recv(1) == b""
        code, _, log = cluster.end()
    assert code == 70
    assert "ZeroDivisionError" in log
    assert "unlucky" in log


# -- usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--brokrs", "3"], "did you mean --brokers?"),
        (["serve", "orders"], "'orders' stands alone"),
        (["serve", "--brokers", "three"], "--brokers: 'three' is no whole number"),
        (["serve", "--brokers", "0"], "--brokers: 0 is out of bounds"),
        (["serve", "--version", "3.9"], "Kafka 3.9 is not emulated"),
        (["serve", "--topic", "a:b"], "--topic: 'b' is no whole number"),
        (["serve", "--topic", "a:1:1:1"], "--topic: 'a:1:1:1' is no topic"),
        (["serve", "--ports", "9094-9092"], "no range of ports"),
        (["serve", "--ports", "9092-9093"], "2 ports for 3 brokers"),
        (["serve", "--port", "0", "--ports", "9092-9094"], "exclude each other"),
        (["serve", "--node-ids", "1,1"], "names a broker twice"),
        (["serve", "--node-ids", "1,2", "--brokers", "3"], "--brokers says 3 and --node-ids names 2"),
        (["serve", "--racks", "a"], "1 racks for 3 brokers"),
        (["serve", "--defaults", "mine"], "none of friendly, kafka"),
        (["serve", "-c", "no.equals"], "write name=value"),
        (["serve", "--auto-create", "-c", "auto.create.topics.enable=false"], "both true and false"),
        (["serv"], "did you mean 'serve'?"),
        (["--brokers"], "there is no command '--brokers'"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "_".join(value),
)
def test_a_wrong_command_line_is_refused_with_a_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-c", "num.partitons=3"], "num.partitions"),
        (["-c", "num.partitions=many"], "num.partitions"),
        (["--topic", "no/slash"], "--topic no/slash"),
        (["--topic", "orders:1:4"], "replication factor"),
        (["--host", "8.8.8.8"], "8.8.8.8 is no address of this machine"),
        (["--ports-file", "/nowhere/at/all"], "--ports-file /nowhere/at/all cannot be written"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "_".join(value).replace("/", "."),
)
def test_what_the_brokers_refuse_ends_the_command_with_a_sentence(arguments: list[str], said: str) -> None:
    ended = run("serve", "--port", "0", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    environment = {
        "MOCKBROKER_BROKERS": "2",
        "MOCKBROKER_PORT": "1000",
        "MOCKBROKER_TOPIC": "orders:6 invoices",
        "MOCKBROKER_AUTO_CREATE": "no",
        "MOCKBROKER_CONFIG": "num.partitions=4",
        "MOCKBROKER_MAX_CONNECTIONS": "9",
    }
    options = read_options(["--port", "2000", "--topic", "mine:1:2"], environment)
    assert options.ports == {1: 2000, 2: 2001}
    assert options.topics == (TopicOption("mine", 1, 2),)
    assert options.config == {
        "auto.create.topics.enable": "false",
        "num.partitions": "4",
        "max.connections": "9",
    }
    assert read_options([], environment).topics == (TopicOption("orders", 6), TopicOption("invoices"))
    assert read_options(["--ports", "1-2"], environment).ports == {1: 1, 2: 2}
    assert read_options([], {}).ports == {1: 9092, 2: 9093, 3: 9094}
    assert read_options(["--port", "0"], {}).ports == {1: 0, 2: 0, 3: 0}


def test_a_wrong_variable_is_named_by_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options([], {"MOCKBROKER_EXIT_WITH_PARENT": "maybe"})
    assert ended.value.code == 2
    assert "MOCKBROKER_EXIT_WITH_PARENT: 'maybe' is neither true nor false" in capsys.readouterr().err


def test_the_help_names_every_flag_with_its_variable() -> None:
    text = Parser("mockbroker serve", "", FLAGS).format_help()
    for flag in FLAGS:
        assert flag.name in text
        assert flag.variable in text


def test_help_and_version_are_answered_without_a_network_library() -> None:
    check = "import sys; from mockbroker.cli import main; main({!r}); sys.exit('trio' in sys.modules)"
    for arguments in (["--help"], ["--version"], ["version"], []):
        ended = subprocess.run([sys.executable, "-c", check.format(arguments)], cwd=ROOT, check=False)
        assert ended.returncode == 0


def test_listening_beyond_this_machine_is_warned_about() -> None:
    with serving("--brokers", "1", "--host", "0.0.0.0") as cluster:  # noqa: S104 - the point
        assert cluster.ready["brokers"][0]["host"] == "127.0.0.1"
        _, _, log = cluster.end()
    assert "WARNING" in log
    assert "--host 127.0.0.1" in log


def test_the_served_apis_are_listed_for_people_and_for_machines() -> None:
    lines = run("apis").stdout.splitlines()
    assert any(line.split() == ["3", "Metadata", "0-13", "faithful"] for line in lines)
    rows = [json.loads(line) for line in run("apis", "--json").stdout.splitlines()]
    assert len(rows) == len(lines)
    produce, *_, last = rows
    assert produce["name"] == "Produce"
    assert (produce["min_version"], produce["max_version"]) == (3, 13)
    assert produce["status"] == "simplified"
    assert "null records" in produce["note"]
    assert (last["status"], last["min_version"]) == ("refused", None)
