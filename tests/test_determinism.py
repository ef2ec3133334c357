"""The same seed and the same steps are the same world: byte for byte, whatever Python does with its hashes.

A random story is told twice, in two processes that order sets and hash strings differently.  What must agree
is the whole history, with every answer in it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from mockbroker.core.links import CONTROLLER
from mockbroker.protocol.errors import KafkaError
from mockbroker.protocol.messages.groups import JoinGroupProtocol, JoinGroupRequest
from mockbroker.protocol.messages.metadata import FindCoordinatorRequest, MetadataRequest, MetadataTopic
from mockbroker.protocol.messages.transactions import InitProducerIdRequest
from tests.core.simulation import Simulation

ROOT = Path(__file__).parent.parent
STEPS = 400
TOPICS = ["orders", "payments", "audit"]


class Story:
    """A cluster to which things happen by chance, from one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        racks = {1: "r1", 2: "r2", 3: "r3"}
        self.sim = Simulation(4, seed=seed, racks=racks, config={"replica.lag.time.max.ms": 1_000})
        for name in TOPICS:
            self.sim.topic(
                name, [self.chance.sample([1, 2, 3, 4], 3) for _ in range(2)], min_insync_replicas="2"
            )
        self.isolated: set[int] = set()
        self.sequence = 0

    def tell(self) -> str:
        acts = [self.produce] * 4 + [self.read] * 3 + [self.ask, self.group, self.lose, self.slow, self.elect]
        for _ in range(STEPS):
            self.chance.choice(acts)()
            self.sim.advance(self.chance.choice([0, 10, 400]))
            self.sim.wait(self.chance.choice([0, 100]))
        return self.sim.world.history.dump()

    def somewhere(self) -> tuple[str, int, int]:
        """A topic, a partition of it and a broker."""
        return self.chance.choice(TOPICS), self.chance.randrange(2), self.chance.choice([1, 2, 3, 4])

    def produce(self) -> None:
        topic, index, broker = self.somewhere()
        leader = self.sim.partition(topic, index).leader
        self.sequence += 1
        self.sim.produce(
            b"%d" % self.sequence,
            topic=topic,
            index=index,
            to=leader if leader > 0 else broker,
            acks=self.chance.choice([-1, -1, 1, 0]),
            producer=self.chance.choice([(-1, -1, -1), (self.chance.randrange(9), 0, 0)]),
            patience_ms=1_000,
        )

    def read(self) -> None:
        topic, index, broker = self.somewhere()
        session = self.chance.choice([(0, -1), (0, 0)])
        wait_ms = self.chance.choice([0, 500])
        self.sim.fetch(0, topic=topic, index=index, to=broker, session=session, max_wait_ms=wait_ms)

    def ask(self) -> None:
        topic, _, broker = self.somewhere()
        names = [topic, f"new-{self.chance.randrange(5)}"]
        self.sim.ask(MetadataRequest(topics=[MetadataTopic(name=name) for name in names]), to=broker)
        self.sim.ask(MetadataRequest(topics=None), to=broker)
        self.sim.ask(InitProducerIdRequest(transactional_id=None), to=broker)

    def group(self) -> None:
        _, _, broker = self.somewhere()
        group = self.chance.choice(["billing", "shipping"])
        self.sim.ask(FindCoordinatorRequest(coordinator_keys=[group]), to=broker)
        protocols = [JoinGroupProtocol(name="range", metadata=b"")]
        join = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=6_000,
            rebalance_timeout_ms=6_000,
            protocol_type="consumer",
            protocols=protocols,
        )
        self.sim.ask(join, to=broker, version=3)

    def lose(self) -> None:
        """Take a broker away, or bring one back."""
        world, broker = self.sim.world, self.somewhere()[2]
        if not world.nodes[broker].up:
            world.restart(broker)
        elif world.nodes[broker].paused:
            world.resume(broker)
        elif broker in self.isolated:
            self.isolated.discard(broker)
            world.heal(broker)
        elif self.chance.random() < 0.5:
            getattr(world, self.chance.choice(["crash", "pause"]))(broker)
        else:
            self.isolated.add(broker)
            world.isolate(broker)

    def slow(self) -> None:
        one = self.somewhere()[2]
        other = self.chance.choice([CONTROLLER, *({1, 2, 3, 4} - {one})])
        self.sim.world.links.slow(one, other, self.chance.choice([0, 0, 20]))

    def elect(self) -> None:
        topic, index, broker = self.somewhere()
        try:
            self.sim.world.controller.move_leader(topic, index, broker, unclean=self.chance.random() < 0.3)
        except KafkaError as refused:
            self.sim.world.history.note(broker, f"not elected: {refused}")
        self.sim.world.settle()


def told_elsewhere(seed: int, hash_seed: int) -> bytes:
    """The story as another process tells it."""
    tell = f"import sys; from tests.test_determinism import Story; sys.stdout.write(Story({seed}).tell())"
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", tell], cwd=ROOT, env=environment, capture_output=True, check=True, timeout=120
    )
    return told.stdout


def test_a_story_is_the_same_wherever_it_is_told() -> None:
    one, other = told_elsewhere(7, hash_seed=1), told_elsewhere(7, hash_seed=2)
    assert one == other
    # And it is a story: many answers, of many kinds.
    lines = one.decode().splitlines()
    assert len(lines) > STEPS
    for word in (
        "ProducedPartition",
        "FetchedPartition",
        "JoinGroup",
        "crash",
        "isolate",
        "NOT_LEADER_OR_FOLLOWER",
    ):
        assert any(word in line for line in lines), f"nothing of {word} happened"


def test_another_seed_is_another_story() -> None:
    assert Story(7).tell() != Story(8).tell()
