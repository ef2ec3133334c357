"""The controller: what it decides, whom it believes, and that everybody is told."""

from __future__ import annotations

import pytest

from mockbroker.core.image import NO_LEADER, ConfigKind
from mockbroker.core.links import Message
from mockbroker.core.messages import AlterPartition, AlterPartitionResponse, MetadataUpdate
from mockbroker.protocol.errors import ErrorCode, KafkaError
from tests.core.simulation import LEADER, TOPIC, Simulation


def code_of(refused: pytest.ExceptionInfo[KafkaError]) -> ErrorCode:
    return ErrorCode(refused.value.code)


# -- topics ------------------------------------------------------------------------------------------


def test_a_new_topic_is_led_by_its_first_live_replica(sim: Simulation) -> None:
    sim.world.crash(2)
    sim.topic("new", [[2, 3, 1], [2]])
    assert (sim.partition("new").leader, sim.partition("new").isr) == (3, (3, 1))
    # Where all are dead they count as in sync: whoever comes back first has as much as the others, nothing.
    assert (sim.partition("new", 1).leader, sim.partition("new", 1).isr) == (NO_LEADER, (2,))
    sim.world.restart(2)
    assert sim.partition("new", 1).leader == 2


def test_a_deleted_topic_is_gone_with_its_configs_and_its_replicas(sim: Simulation) -> None:
    sim.delete()
    assert TOPIC not in sim.world.controller.image.topics
    assert not sim.world.controller.image.topic_names
    assert (ConfigKind.TOPIC, TOPIC) not in sim.world.controller.image.configs
    assert not any(node.replicas for node in sim.world.nodes.values())


def test_a_topic_grows_behind_the_partitions_that_it_has(sim: Simulation) -> None:
    sim.produce(b"v")
    sim.world.controller.add_partitions(TOPIC, [[3, 1]])
    sim.world.settle()
    assert (sim.partition(index=1).index, sim.partition(index=1).leader) == (1, 3)
    assert sim.produce(b"w", index=1).only.base_offset == 0
    assert sim.read() == [b"v"]


def test_every_change_is_a_new_image_and_everybody_has_it(sim: Simulation) -> None:
    before = sim.world.controller.image
    sim.configure(min_insync_replicas="1")
    after = sim.world.controller.image
    assert after.version > before.version
    assert before.topic_overrides(TOPIC) == {"min.insync.replicas": "2"}
    assert all(node.image is after for node in sim.world.nodes.values())


def test_a_broker_that_is_up_to_date_is_told_what_changed_and_no_more(sim: Simulation) -> None:
    told: list[MetadataUpdate] = []

    def overhear(message: Message) -> bool:
        if isinstance(message, MetadataUpdate):
            told.append(message)
        return True

    sim.topic("other", [[1, 2]])
    sim.world.links.between = overhear
    image = sim.world.controller.image
    sim.world.crash(3)
    assert [(update.base, update.changed) for update in told[:2]] == [(image, (TOPIC,))] * 2


# -- elections on request ----------------------------------------------------------------------------


def test_preferred_elections(sim: Simulation) -> None:
    controller = sim.world.controller
    with pytest.raises(KafkaError) as refused:
        controller.elect_preferred(TOPIC, 0)
    assert code_of(refused) == ErrorCode.ELECTION_NOT_NEEDED
    sim.world.crash(1)
    with pytest.raises(KafkaError) as refused:
        controller.elect_preferred(TOPIC, 0)
    assert code_of(refused) == ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
    sim.world.restart(1)
    assert sim.partition().leader == 2
    controller.elect_preferred(TOPIC, 0)
    assert (sim.partition().leader, sim.partition().leader_epoch) == (1, 2)


def test_unclean_elections(sim: Simulation) -> None:
    controller = sim.world.controller
    for topic, index in [("nothing", 0), (TOPIC, 5)]:
        with pytest.raises(KafkaError) as refused:
            controller.elect_unclean(topic, index)
        assert code_of(refused) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    with pytest.raises(KafkaError) as refused:
        controller.elect_unclean(TOPIC, 0)
    assert code_of(refused) == ErrorCode.ELECTION_NOT_NEEDED
    for broker in (3, 2, 1):
        sim.world.crash(broker)
    with pytest.raises(KafkaError) as refused:
        controller.elect_unclean(TOPIC, 0)
    assert code_of(refused) == ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
    sim.world.restart(3)
    controller.elect_unclean(TOPIC, 0)
    assert (sim.partition().leader, sim.partition().isr, sim.partition().elr) == (3, (3,), ())


def test_a_leader_may_be_chosen_among_those_in_sync_and_by_force_among_the_living(sim: Simulation) -> None:
    sim.freeze(3)
    sim.produce(b"v", acks=LEADER)
    sim.advance(30_001)
    sim.world.crash(2)
    for broker in (2, 3):
        with pytest.raises(KafkaError) as refused:
            sim.world.controller.move_leader(TOPIC, 0, broker, unclean=False)
        assert code_of(refused) == ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
    sim.world.controller.move_leader(TOPIC, 0, 3, unclean=True)
    assert (sim.partition().leader, sim.partition().isr) == (3, (3,))


def test_unclean_elections_happen_by_themselves_where_a_topic_allows_them(sim: Simulation) -> None:
    sim.configure(unclean_leader_election_enable="true")
    sim.produce(b"both have it")
    sim.freeze(3)
    sim.produce(b"lost", acks=LEADER)
    sim.advance(30_001)
    for broker in (2, 1):
        sim.world.crash(broker)
    assert (sim.partition().leader, sim.partition().isr, sim.partition().elr) == (3, (3,), ())
    assert sim.read() == [b"both have it"]


# -- whom it believes --------------------------------------------------------------------------------


def ask(sim: Simulation, **changes: object) -> AlterPartitionResponse:
    """Ask as broker 1 would to drop broker 3 from the ISR, but for some change."""
    partition = sim.partition()
    terms: dict[str, object] = {
        "source": 1,
        "topic": TOPIC,
        "index": 0,
        "topic_id": sim.topic_id(),
        "leader_epoch": partition.leader_epoch,
        "partition_epoch": partition.partition_epoch,
        "isr": (1, 2),
        **changes,
    }
    heard: list[AlterPartitionResponse] = []

    def overhear(message: Message) -> bool:
        if isinstance(message, AlterPartitionResponse):
            heard.append(message)
        return True

    sim.world.links.between = overhear
    source, topic, index, topic_id = (terms.pop(name) for name in ("source", "topic", "index", "topic_id"))
    asked = AlterPartition(source, topic, index, topic_id, **terms)  # type: ignore[arg-type]  # made of parts
    sim.world.controller.receive(asked)
    return heard[0]


def test_a_leader_changes_who_is_in_sync(sim: Simulation) -> None:
    response = ask(sim)
    assert response.partition == sim.partition()
    assert sim.partition().isr == (1, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": 2},
        {"topic": "nothing"},
        {"index": 4},
        {"topic_id": b"x" * 16},
        {"leader_epoch": 7},
        {"partition_epoch": 7},
        {"isr": (1, 4)},
    ],
)
def test_whoever_knows_less_than_the_controller_changes_nothing(
    sim: Simulation, wrong: dict[str, object]
) -> None:
    assert ask(sim, **wrong).partition is None
    assert sim.partition().isr == (1, 2, 3)


def test_a_fenced_broker_cannot_join(sim: Simulation) -> None:
    sim.world.crash(3)
    assert ask(sim, isr=(1, 2, 3)).partition is None


# -- the life of brokers -----------------------------------------------------------------------------


def test_a_fenced_broker_leaves_every_isr_and_leads_nothing(sim: Simulation) -> None:
    sim.topic("other", [[1, 2], [3, 2], [2, 3]])
    sim.world.crash(1)
    assert (sim.partition().leader, sim.partition().isr, sim.partition().leader_epoch) == (2, (2, 3), 1)
    assert (sim.partition("other").leader, sim.partition("other").isr) == (2, (2,))
    assert sim.partition("other", 1).partition_epoch == sim.partition("other", 2).partition_epoch == 0


def test_the_controller_lives_on_another_broker_when_its_own_dies(sim: Simulation) -> None:
    def controller() -> tuple[int, int]:
        image = sim.world.controller.image
        return image.controller_id, image.controller_epoch

    assert controller() == (1, 1)
    sim.world.crash(1)
    assert controller() == (2, 2)
    sim.world.restart(1)
    assert controller() == (2, 2)


def test_a_broker_that_starts_again_has_another_epoch(sim: Simulation) -> None:
    before = sim.world.controller.image.brokers[2].epoch
    sim.world.isolate(2)
    sim.world.heal(2)
    assert sim.world.controller.image.brokers[2].epoch == before
    sim.world.crash(2)
    sim.world.restart(2)
    assert sim.world.controller.image.brokers[2].epoch > before


def test_a_restart_proves_a_death_that_nobody_had_noticed() -> None:
    sim = Simulation(friendly=False)
    sim.topic(assignments=[[1, 2], [1]])
    sim.produce(b"v", index=1)
    sim.world.crash(1)
    assert sim.partition().leader == 1
    sim.world.restart(1)
    assert (sim.partition().leader, sim.partition().leader_epoch) == (2, 1)
    # Nobody else could lead the other one; it does so in a new epoch, for its followers' sake.
    assert (sim.partition(index=1).leader, sim.partition(index=1).leader_epoch) == (1, 2)
    assert sim.read(index=1) == [b"v"]


# -- eligible leader replicas (KIP-966) --------------------------------------------------------------


def test_whoever_leaves_last_may_lead_again_first(sim: Simulation) -> None:
    sim.produce(b"v")
    sim.world.crash(3)
    assert (sim.partition().isr, sim.partition().elr) == ((1, 2), ())
    sim.world.isolate(2)
    assert (sim.partition().isr, sim.partition().elr) == ((1,), (2,))
    sim.world.isolate(1)
    assert (sim.partition().leader, sim.partition().isr, sim.partition().elr) == (NO_LEADER, (), (1, 2))
    # Broker 3 may lack what 1 and 2 have committed since.
    sim.world.restart(3)
    assert sim.partition().leader == NO_LEADER
    sim.world.heal(2)
    assert (sim.partition().leader, sim.partition().isr) == (2, (2, 3))
    assert sim.read() == [b"v"]


def test_with_one_replica_enough_nobody_else_is_eligible() -> None:
    sim = Simulation()
    sim.topic(min_insync_replicas="1")
    sim.world.crash(2)
    assert sim.partition().elr == ()


@pytest.mark.parametrize("cluster_wide", [False, True])
def test_a_change_of_the_minimum_ends_eligibility(*, cluster_wide: bool) -> None:
    sim = Simulation(config={"min.insync.replicas": 2})
    sim.topic(assignments=[[1, 2]])
    sim.world.isolate(2)
    assert sim.partition().elr == (2,)
    if cluster_wide:
        sim.world.controller.alter_configs(ConfigKind.BROKER, "", {"min.insync.replicas": "1"})
        sim.world.settle()
    else:
        sim.configure(min_insync_replicas="1")
    assert sim.partition().elr == ()
    # Now broker 1 alone can commit, so broker 2 must not lead without it.
    sim.produce(b"v")
    sim.world.crash(1)
    sim.world.heal(2)
    assert sim.partition().leader == NO_LEADER
    sim.world.restart(1)
    assert sim.read() == [b"v"]


def test_another_change_of_configs_does_not(sim: Simulation) -> None:
    for broker in (2, 3):
        sim.world.isolate(broker)
    eligible = sim.partition().elr
    assert eligible
    sim.configure(min_insync_replicas="2", retention_ms="1000")
    assert sim.partition().elr == eligible
