"""The part of Kafka's `kafka-topics.sh` that librdkafka's tests call: create, delete and add partitions.

Asks the brokers through a client's admin API as the original does; a refusal is the exit code.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import Future

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

# The brokers' own default, in a request.
BY_DEFAULT = -1


def main(arguments: Sequence[str] | None = None) -> None:
    """Do one thing to one topic."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--topic", required=True)
    what = parser.add_mutually_exclusive_group(required=True)
    for name in ("create", "delete", "alter"):
        what.add_argument(f"--{name}", dest="what", action="store_const", const=name)
    parser.add_argument("--partitions", type=int, default=BY_DEFAULT)
    parser.add_argument("--replication-factor", type=int, default=BY_DEFAULT)
    parser.add_argument("--config", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args(arguments)

    admin = AdminClient({"bootstrap.servers": asked.bootstrap_server})
    answers: dict[str, Future[None]]
    if asked.what == "create":
        config = dict(setting.split("=", 1) for setting in asked.config)
        topic = NewTopic(asked.topic, asked.partitions, asked.replication_factor, config=config)
        answers = admin.create_topics([topic])
    elif asked.what == "delete":
        answers = admin.delete_topics([asked.topic])
    else:
        answers = admin.create_partitions([NewPartitions(asked.topic, asked.partitions)])
    for answer in answers.values():
        answer.result()


if __name__ == "__main__":
    main()
