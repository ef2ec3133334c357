"""Transactions with real clients: aborted ones are not seen, hanging ones hold readers back, zombies are shut out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from mockbroker import Cluster
from mockbroker.failure_report import evidence_of, report_of
from tests.scenarios.payers import PAYERS, Payer, Refused, reader_of

NAME = "payer-1"

Begin = Callable[[], Payer]


@pytest.fixture(params=PAYERS)
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_payer(mockbroker: Cluster, library: str) -> Iterator[Begin]:
    """Producers with the same transactional id, closed in the end."""
    mockbroker.topic("ledger").create()
    made: list[Payer] = []

    def begin() -> Payer:
        made.append(PAYERS[library](mockbroker, NAME))
        return made[-1]

    yield begin
    for payer in made:
        payer.close()


def test_an_aborted_transaction_is_invisible(mockbroker: Cluster, new_payer: Begin) -> None:
    payer = new_payer()
    refuse = mockbroker.faults.on("TxnOffsetCommit", transactional_id=NAME, nth=1)
    with refuse.fail("GROUP_AUTHORIZATION_FAILED"):
        payer.begin()
        payer.write("ledger", b"debit", b"credit")
        with pytest.raises(Refused, match=r"GROUP_AUTHORIZATION_FAILED|GroupAuthorizationFailedError"):
            payer.keep("billing", "ledger", 5)
        payer.abort()
    ledger = mockbroker.topic("ledger")
    mockbroker.transaction(NAME).wait_state("CompleteAbort")
    assert ledger.values(isolation="committed") == []
    assert [record.kind for record in ledger.records(isolation="all")] == ["data", "data", "abort"]
    assert mockbroker.group("billing").committed == {}


@pytest.mark.parametrize("how", ["expire", "advance"])
def test_a_hanging_transaction_holds_readers_back_until_its_timeout(
    mockbroker: Cluster, new_payer: Begin, library: str, how: str
) -> None:
    payer = new_payer()
    payer.begin()
    payer.write("ledger", b"debit")
    mockbroker.topic("ledger").append("k", b"behind it")
    hanging = mockbroker.transaction(NAME)
    with (
        closing(reader_of(library, mockbroker, "ledger", "read_committed")) as waiting,
        closing(reader_of(library, mockbroker, "ledger", "read_uncommitted")) as careless,
    ):
        assert careless.read(2) == [b"debit", b"behind it"]
        assert waiting.rest() == []
        told = " ".join(report_of(evidence_of(mockbroker)).split())
        assert (
            "read_committed reads ledger-0 with read_committed and stands at 0, the last stable offset"
            in told
        )
        assert f"the open transaction of producer {hanging.producer_id} that began at 0" in told

        if how == "expire":
            hanging.expire()
        else:
            mockbroker.clock.advance("71s")

        hanging.wait_state("CompleteAbort")
        assert waiting.read(1) == [b"behind it"]
    with pytest.raises(Refused):
        payer.commit()


STEPS: dict[str, Callable[[Payer], None]] = {
    "produce": lambda payer: payer.write("ledger", b"late"),
    "add offsets": lambda payer: payer.keep("billing", "ledger", 5),
    "commit": lambda payer: payer.commit(),
    "abort": lambda payer: payer.abort(),
}


# No client asks a broker to end a transaction in which nothing was written.
@pytest.mark.parametrize(
    ("step", "written"),
    [*((step, True) for step in STEPS), ("produce", False), ("add offsets", False)],
)
def test_a_producer_whose_id_another_one_has_taken_is_shut_out_at_every_step(
    mockbroker: Cluster, new_payer: Begin, step: str, written: bool
) -> None:
    zombie, heir = new_payer(), new_payer()
    zombie.begin()
    if written:
        zombie.write("ledger", b"early")
    heir.begin()

    with pytest.raises(Refused) as refused:
        STEPS[step](zombie)

    assert refused.value.fatal
    heir.write("ledger", b"paid")
    heir.commit()
    mockbroker.transaction(NAME).wait_state("CompleteCommit")
    assert mockbroker.topic("ledger").values() == [b"paid"]
    assert mockbroker.group("billing").committed == {}
