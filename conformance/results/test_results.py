"""What is kept is merged, and what is not given stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.results import keep, load


def test_a_run_of_one_client_leaves_the_others_alone(tmp_path: Path) -> None:
    keep("clients", "mockbroker", {"ann": {"one": "passed", "two": "passed"}}, {"ann": "ann 1"}, tmp_path)
    keep("clients", "kafka 4.4.0", {"ann": {"one": "passed"}}, {"kafka": "4.4.0"}, tmp_path)
    keep("clients", "mockbroker", {"bob": {"one": "passed"}}, {"bob": "bob 2"}, tmp_path)
    keep("clients", "mockbroker", {"ann": {"one": "failed: why", "two": None}}, {"ann": "ann 3"}, tmp_path)

    kept = load("clients", tmp_path)
    assert kept["mockbroker"] == {"ann": {"one": "failed: why"}, "bob": {"one": "passed"}}
    assert kept["kafka 4.4.0"] == {"ann": {"one": "passed"}}
    assert kept["about"]["mockbroker"]["versions"] == {"ann": "ann 3", "bob": "bob 2"}
    assert kept["about"]["kafka 4.4.0"]["versions"] == {"kafka": "4.4.0"}
    assert kept["about"]["mockbroker"].keys() == {"date", "python", "versions"}


def test_a_list_is_replaced_whole(tmp_path: Path) -> None:
    keep("deaths", "mockbroker", {"ann": {"one": [1.0, 2.0]}}, folder=tmp_path)
    keep("deaths", "mockbroker", {"ann": {"one": [3.0]}}, folder=tmp_path)

    assert load("deaths", tmp_path)["mockbroker"] == {"ann": {"one": [3.0]}}


def test_the_same_results_are_the_same_file_in_whatever_order_they_came(tmp_path: Path) -> None:
    texts = []
    for first, second in (("a", "b"), ("b", "a")):
        for name in (first, second):
            keep("suites", "sarama", {name: "passed"}, folder=tmp_path)
        texts.append((tmp_path / "suites.json").read_text())
        (tmp_path / "suites.json").unlink()

    assert texts[0] == texts[1]
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_reads_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no results are kept as 'client'"):
        keep("client", "mockbroker", {}, folder=tmp_path)
    with pytest.raises(ValueError, match="written by keep"):
        keep("clients", "about", {}, folder=tmp_path)
    assert load("clients", tmp_path) == {}
