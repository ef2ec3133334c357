"""The table at the end of a run, and the same as JSON.

A line is a measure; each peer has its median, its spread and the ratio of ours to it.  Ratios are judged
against the aims; the absolute figures tell only how busy the machine was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from conformance.benchmarks.measure import Result, Series, Verdict
from conformance.benchmarks.peers import OURS


def table(results: Sequence[Result], peers: Sequence[str]) -> str:
    """Every result as text, columns aligned."""
    header = ["measure", "unit", OURS]
    for peer in peers:
        header += [peer, f"ours/{peer}"]
    rows = [[*header, "aim"], *(_row(result, peers) for result in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*lines, *_failures(results)])


def _row(result: Result, peers: Iterable[str]) -> list[str]:
    row = [result.measure.name, result.measure.unit, _samples(result.series.get(OURS))]
    for peer in peers:
        ratio = result.ratio(peer)
        row += [_samples(result.series.get(peer)), "-" if ratio is None else _ratio(result, peer)]
    return [*row, "; ".join(_judged(result, verdict) for verdict in result.verdicts()) or "-"]


def _samples(series: Series | None) -> str:
    if series is None:
        return "-"
    least, most = series.spread
    return f"{_figure(series.median)} ({_figure(least)}-{_figure(most)})"


def _ratio(result: Result, peer: str) -> str:
    ratios = result.ratios(peer)
    return f"{result.ratio(peer):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _figure(value: float) -> str:
    """Three digits that matter; more would pretend to a precision that nobody has."""
    if value >= 10_000:
        return f"{value / 1_000:.0f}k"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _judged(result: Result, verdict: Verdict) -> str:
    sign = ">=" if result.measure.more_is_better else "<="
    of = f" x {verdict.aim.than}" if verdict.aim.than else f" {result.measure.unit}"
    wanted = f"{sign} {verdict.aim.limit:g}{of}"
    if verdict.reached is None:
        return f"{wanted}: not measured"
    return f"{wanted}: {'reached' if verdict.good else f'NOT reached ({verdict.reached:.3g})'}"


def _failures(results: Iterable[Result]) -> list[str]:
    return [
        f"{result.measure.name}: {peer} gave up: {why}"
        for result in results
        for peer, why in result.failures.items()
    ]


def as_json(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Every sample, for whoever wants to compare runs."""
    return [
        {
            "measure": result.measure.name,
            "unit": result.measure.unit,
            "more_is_better": result.measure.more_is_better,
            "samples": {peer: series.values for peer, series in result.series.items()},
            "ratios": {peer: result.ratio(peer) for peer in result.series if peer != OURS},
            "aims": [
                {"limit": v.aim.limit, "than": v.aim.than, "reached": v.reached, "good": v.good}
                for v in result.verdicts()
            ],
            "failures": result.failures,
        }
        for result in results
    ]
