"""One served cluster from first to last: a world from options, its topics, the ready line, and the end.

Writes one line to standard output and to whoever else was named; everything else goes through `logging`.
Decides nothing about exit codes but whether a bug of ours was met.
"""

from __future__ import annotations

import gc
import ipaddress
import json
import logging
import os
import random
import signal
import sys
import time
from functools import partial
from pathlib import Path

import trio

from mockbroker.core.new_topics import BY_DEFAULT, Planner, Wish
from mockbroker.core.usage import UsageError
from mockbroker.core.world import World
from mockbroker.handles.topics import COPIES
from mockbroker.protocol.errors import KafkaError
from mockbroker.serve.options import ServeOptions
from mockbroker.serve.parent import die_with_parent, wait_until_input_ends
from mockbroker.server.bugs import BrokerBug
from mockbroker.server.run import Server, serve
from mockbroker.wire_log import WireLog, log_wire

log = logging.getLogger("mockbroker.serve")

# This process is ours alone, and what it makes it mostly keeps.  By Python's own thresholds a request for
# 10,000 topics takes twice as long, for collections that find nothing.
GC_THRESHOLDS = (10_000, 50, 100)


def run(options: ServeOptions) -> list[BrokerBug]:
    """Serve until told to stop; gives the bugs of ours that were met.  Raises UsageError before it starts."""
    gc.set_threshold(*GC_THRESHOLDS)
    return trio.run(_serve_until_stopped, options)


async def _serve_until_stopped(options: ServeOptions) -> list[BrokerBug]:
    """Run the server beside the wait for its end."""
    could_not: UsageError | None = None
    server: Server | None = None
    wire: WireLog | None = None
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            if options.exit_with_parent and not die_with_parent():
                nursery.start_soon(_stop_when_input_ends, nursery.cancel_scope)
            try:
                world = make_world(options)
                wire = log_wire(world, options.log_wire)
                server = await nursery.start(
                    partial(serve, world, host=options.host, ports=options.ports, advertise=options.advertise)
                )
                server.control(make_topics, world, options)
                _say_ready(options, world, server)
                async for number in signals:
                    log.info("stopping on %s", signal.Signals(number).name)
                    break
            except UsageError as wrong:
                could_not = wrong  # carried out of the nursery by hand, which would wrap it in a group
            nursery.cancel_scope.cancel()
    if wire is not None:
        wire.close()
    if could_not is not None:
        raise could_not
    return [] if server is None else server.crashes


async def _stop_when_input_ends(scope: trio.CancelScope) -> None:
    await wait_until_input_ends()
    log.info("stopping: the parent process is gone")
    scope.cancel()


def make_world(options: ServeOptions) -> World:
    """Build the brokers; raises UsageError where their settings make no sense."""
    return World(
        brokers=options.node_ids,
        racks=options.racks,
        config=options.config,
        friendly=options.friendly,
        random=random.Random(options.seed),
        now_ms=time.time_ns() // 1_000_000,
    )


def make_topics(world: World, options: ServeOptions) -> None:
    """Create the topics to begin with, by the rules that hold for a client's CreateTopics."""
    planner = Planner(world.controller.image, world.defaults)
    for topic in options.topics:
        copies = topic.replication_factor
        if copies == BY_DEFAULT:
            copies = min(COPIES, len(world.nodes))
        wish = Wish(topic.name, topic.partitions, copies)
        try:
            world.controller.create_topics([planner.plan(wish)])
        except KafkaError as refused:
            raise UsageError(f"--topic {topic.name}: {refused.message} ({refused.code.name})") from refused


def _say_ready(options: ServeOptions, world: World, server: Server) -> None:
    """Tell everybody who waits, people last."""
    line = ready_line(world, server)
    if options.ports_file is not None:
        _write_atomically(options.ports_file, line)
    if options.ready_fd is not None:
        _write_and_close(options.ready_fd, line)
    sys.stdout.write(line)
    sys.stdout.flush()
    log.info("serving %d broker(s) at %s, seed %d", len(options.node_ids), server.bootstrap, options.seed)
    if not _is_loopback(options.host):
        log.warning(
            "listening on %s: whoever can reach this machine can use this cluster, and nobody is asked who "
            "they are; --host 127.0.0.1 keeps it here",
            options.host,
        )


def ready_line(world: World, server: Server) -> str:
    """The line that says where everything is."""
    ready = {
        "event": "ready",
        "bootstrap": server.bootstrap,
        "brokers": [{"id": id, "host": host, "port": port} for id, (host, port) in server.addresses.items()],
        "cluster_id": world.controller.image.cluster_id,
        "pid": os.getpid(),
    }
    return json.dumps(ready) + "\n"


def _write_atomically(path: Path, line: str) -> None:
    """Whoever finds the file finds the whole line in it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(line, "utf-8")
        unfinished.replace(path)
    except OSError as failed:
        raise UsageError(f"--ports-file {path} cannot be written: {failed.strerror}") from failed


def _write_and_close(descriptor: int, line: str) -> None:
    try:
        with open(descriptor, "w", encoding="utf-8") as pipe:
            pipe.write(line)
    except OSError as failed:
        raise UsageError(f"--ready-fd {descriptor} cannot be written: {failed.strerror}") from failed


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
