from mockbroker.core.broker_config import BrokerConfig
from mockbroker.core.image import ConfigKind, Image
from mockbroker.core.setting_facts import BROKER_SETTINGS
from mockbroker.core.topic_configs import TOPIC_SETTINGS, resolve, topic_config, value_of
from mockbroker.records.compression import Codec


def test_a_topic_that_says_nothing_is_as_kafka_makes_it() -> None:
    config = resolve(BrokerConfig(1), {})
    assert config.cleanup_policy == {"delete"}
    assert (config.deleted, config.compacted) == (True, False)
    assert config.compression is None
    assert config.max_message_bytes == 1_048_588
    assert config.min_insync_replicas == 1
    assert not config.log_append_time
    assert config.timestamp_before_max_ms == 2**63 - 1
    assert config.timestamp_after_max_ms == 3_600_000
    assert (config.segment_bytes, config.segment_ms) == (2**30, 604_800_000)
    assert (config.retention_ms, config.retention_bytes) == (604_800_000, -1)
    assert not config.unclean_leader_election


def test_a_topics_own_word_counts_before_its_brokers() -> None:
    broker = BrokerConfig(1, {"message.max.bytes": 10, "log.roll.hours": 2, "compression.type": "zstd"})
    config = resolve(broker, {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "20"})
    assert (config.max_message_bytes, config.segment_ms, config.log_append_time) == (20, 7_200_000, True)
    assert config.compression is Codec.ZSTD
    assert resolve(broker, {}).max_message_bytes == 10
    assert resolve(broker, {"compression.type": "uncompressed"}).compression is Codec.NONE


def test_a_policy_may_be_both_or_none() -> None:
    both = resolve(BrokerConfig(1), {"cleanup.policy": "compact, delete"})
    assert (both.compacted, both.deleted) == (True, True)
    neither = resolve(BrokerConfig(1), {"cleanup.policy": ""})
    assert (neither.compacted, neither.deleted) == (False, False)


def test_topics_without_overrides_share_one_config_until_their_broker_changes() -> None:
    broker = BrokerConfig(1)
    image = Image(configs={(ConfigKind.BROKER, ""): {"message.max.bytes": "5"}})
    before = topic_config(broker, image, "a")
    assert topic_config(broker, image, "b") is before
    broker.heed(image)
    assert topic_config(broker, image, "a").max_message_bytes == 5


def test_every_topic_config_has_a_value_and_a_broker_setting_that_exists() -> None:
    assert len(TOPIC_SETTINGS) == 37
    for name, setting in TOPIC_SETTINGS.items():
        assert setting.fallback is None or setting.fallback in BROKER_SETTINGS
        assert value_of(name, BrokerConfig(1), {}) is not None
        assert setting.doc.endswith(".")
