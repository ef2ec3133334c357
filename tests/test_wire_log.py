"""The log of the wire: every request as it comes and every answer as it leaves, wherever it is wanted."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from mockbroker import Cluster, UsageError, open_cluster
from mockbroker.serve.options import read_options
from mockbroker.wire_log import WireLog
from mockbroker.wire_target import wire_target
from tests.handles.members import RawClient, fetch_request
from tests.server.wire import VERSIONS, eventually


def writes(cluster: Cluster) -> bool:
    """Whether a log of the wire still listens."""
    return any(isinstance(listener, WireLog) for listener in cluster.world.history.listeners)


def test_a_file_has_a_line_for_each_request_and_each_answer(
    make_mockbroker: Callable[..., Cluster], tmp_path: Path
) -> None:
    log = tmp_path / "wire.log"
    cluster = make_mockbroker(log_wire=str(log), brokers=1)
    cluster.topic("orders").create()
    with RawClient(cluster, 1, "app-a") as client:
        client.ask(VERSIONS, 3)
    lines = [re.sub(r"^\d+\.\d ", "", line) for line in log.read_text("utf-8").splitlines()]
    assert lines[:2] == ["test * create orders p=1 rf=1", "broker 1 - c1 * connected"]
    assert lines[2].startswith('broker 1 app-a c1 > ApiVersions v3 #1 {"client_software_name": "test"')
    assert lines[3].startswith('broker 1 app-a c1 < ApiVersions v3 #1 {"error_code": 0, "api_keys": [')


def test_a_request_is_written_when_it_comes_and_not_when_it_is_answered(
    make_mockbroker: Callable[..., Cluster], tmp_path: Path
) -> None:
    log = tmp_path / "wire.log"
    cluster = make_mockbroker(log_wire=log, brokers=1, topics=["orders"])
    with RawClient(cluster, 1, "app-a") as client:
        client.send(fetch_request("orders", 0, 0, max_wait_ms=60_000), 11)
        eventually(lambda: " > Fetch v11 " in log.read_text("utf-8"))
        assert " < Fetch v11 " not in log.read_text("utf-8")


def test_topics_are_named_where_a_client_says_an_id(
    make_mockbroker: Callable[..., Cluster], tmp_path: Path
) -> None:
    log = tmp_path / "wire.log"
    cluster = make_mockbroker(log_wire=log, brokers=1, topics=["orders"])
    request = fetch_request("", 0, 0)
    request.topics[0].topic_id = cluster.world.controller.image.topics["orders"].id
    with RawClient(cluster, 1, "app-a") as client:
        client.ask(request, 13)
    assert '"topic_name": "orders"' in log.read_text("utf-8")


def test_standard_error_is_the_place_where_none_is_named(
    make_mockbroker: Callable[..., Cluster], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = make_mockbroker(log_wire=True, brokers=1)
    cluster.topic("orders").create()
    assert "test * create orders p=1 rf=1\n" in capsys.readouterr().err


def test_a_closed_cluster_writes_no_more_and_a_second_one_goes_on_in_the_file(tmp_path: Path) -> None:
    log = tmp_path / "wire.log"
    for name in ("first", "second"):
        with Cluster(log_wire=log, brokers=1) as cluster:
            cluster.topic(name).create()
        assert not writes(cluster)
    assert [line.split()[-3] for line in log.read_text("utf-8").splitlines()] == ["first", "second"]


def test_a_trio_cluster_writes_it_too(tmp_path: Path) -> None:
    log = tmp_path / "wire.log"

    async def main() -> None:
        async with open_cluster(log_wire=log, topics=["orders"]):
            pass

    trio.run(main)
    assert "create orders" in log.read_text("utf-8")


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^log_wire='.*' cannot be written: Is a directory$"):
        Cluster(log_wire=tmp_path).start()


def test_a_log_is_written_without_a_history_as_well(tmp_path: Path) -> None:
    log = tmp_path / "wire.log"
    with Cluster(log_wire=log, history=False, brokers=1, topics=["orders"]) as cluster:
        assert len(cluster.history) == 0
    assert "create orders" in log.read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "target"),
    [("-", True), ("1", True), ("TRUE", True), ("no", False), ("", False), ("0", False), ("a.log", "a.log")],
)
def test_a_target_is_written_as_a_file_or_a_word(text: str, target: str | bool) -> None:
    assert wire_target(text) == target


@pytest.mark.parametrize(
    ("arguments", "environment", "target"),
    [
        ([], {}, False),
        (["--log-wire"], {}, True),
        (["--log-wire", "--port", "0"], {}, True),
        (["--log-wire=a.log"], {}, "a.log"),
        (["--log-wire", "a.log"], {}, "a.log"),
        ([], {"MOCKBROKER_LOG_WIRE": "1"}, True),
        ([], {"MOCKBROKER_LOG_WIRE": "b.log"}, "b.log"),
        (["--log-wire=a.log"], {"MOCKBROKER_LOG_WIRE": "b.log"}, "a.log"),
    ],
)
def test_serve_takes_the_flag_with_and_without_a_file(
    arguments: list[str], environment: dict[str, str], target: str | bool
) -> None:
    assert read_options(arguments, environment).log_wire == target


def test_a_cluster_that_cannot_start_closes_its_log(tmp_path: Path) -> None:
    with Cluster(brokers=1) as cluster:
        port = int(cluster.bootstrap.rsplit(":", 1)[1])
        second = Cluster(brokers=1, ports=[port], log_wire=tmp_path / "wire.log")
        with pytest.raises(UsageError, match="already in use"):
            second.start()
    assert not writes(second)


def test_an_output_that_fails_ends_the_log_and_nothing_else(
    make_mockbroker: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = io.StringIO()
    closed.close()
    cluster = make_mockbroker(log_wire=True, brokers=1)
    monkeypatch.setattr("sys.stderr", closed)
    with RawClient(cluster, 1, "app-a") as client:
        assert client.ask(VERSIONS, 3).error_code == 0
    monkeypatch.undo()
    assert "the log of the wire ends here: I/O operation on closed file" in caplog.text
    assert not writes(cluster)
