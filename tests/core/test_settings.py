import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbroker.core import settings
from mockbroker.core.broker_config import BrokerConfig, check_started_with
from mockbroker.core.image import ConfigKind, Image
from mockbroker.core.setting_facts import BROKER_SETTINGS
from mockbroker.core.setting_values import BadValue, ValueType, read_value, write_value
from mockbroker.core.usage import UsageError

NUMBERS = {ValueType.INT: 32, ValueType.SHORT: 16, ValueType.LONG: 64}


def image(**configs: dict[str, str]) -> Image:
    """An image with broker overrides: `one` for broker 1, `everybody` for all."""
    names = {"one": "1", "everybody": ""}
    return Image(configs={(ConfigKind.BROKER, names[who]): what for who, what in configs.items()})


@pytest.mark.parametrize(("type_", "bits"), NUMBERS.items())
def test_a_number_fits_its_type_to_the_last_one(type_: ValueType, bits: int) -> None:
    top = 2 ** (bits - 1)
    assert read_value("x", type_, f" {top - 1} ") == top - 1
    assert read_value("x", type_, str(-top)) == -top
    for text in (str(top), str(-top - 1)):
        with pytest.raises(BadValue):
            read_value("x", type_, text)


@pytest.mark.parametrize("text", ["", "-", "1.0", "1_000", "٣", "0x10", "1e3", "9" * 5000, "--1"])
def test_what_java_reads_as_no_number_is_none_here(text: str) -> None:
    with pytest.raises(BadValue, match="Not a number of type LONG"):
        read_value("x", ValueType.LONG, text)


@pytest.mark.parametrize(("text", "value"), [("true", True), (" FALSE ", False), ("True", True)])
def test_booleans_are_read_without_regard_to_case(text: str, value: bool) -> None:
    assert read_value("x", ValueType.BOOLEAN, text) is value


@pytest.mark.parametrize("text", ["", "1", "yes"])
def test_nothing_but_true_and_false_is_a_boolean(text: str) -> None:
    with pytest.raises(BadValue, match="true or false"):
        read_value("x", ValueType.BOOLEAN, text)


def test_the_items_of_a_list_stand_without_blanks() -> None:
    assert read_value("x", ValueType.LIST, " a , b,c ") == ("a", "b", "c")
    assert read_value("x", ValueType.LIST, " ") == ()


@given(st.sampled_from(list(ValueType)), st.text())
def test_any_text_is_a_value_or_a_bad_value(type_: ValueType, text: str) -> None:
    try:
        value = read_value("x", type_, text)
    except BadValue:
        return
    again = read_value("x", type_, write_value(value) or "")
    # A DOUBLE may say NaN, which is nothing's equal.
    assert again == value or value != value  # noqa: PLR0124 - see above


def test_every_default_is_a_value_of_its_own_setting() -> None:
    for name, fact in BROKER_SETTINGS.items():
        setting = settings.setting(name)
        assert (setting.default is None) == (fact.default is None)
        if fact.default is not None:
            assert write_value(setting.default) == fact.default, name


def test_what_is_acted_on_says_what_it_does() -> None:
    for name, setting in settings.ACTED_ON.items():
        assert setting.doc.endswith("."), name


def test_every_name_that_has_a_standing_is_one_of_kafkas() -> None:
    assert settings.UNSEEN | settings.GIVEN.keys() <= BROKER_SETTINGS.keys()
    assert not settings.UNSEEN & settings.ACTED_ON.keys()


# -- what a cluster may be started with ---------------------------------------------------------------


def test_values_may_be_given_as_python_has_them() -> None:
    given_values = {
        "num.partitions": 3,
        "auto.create.topics.enable": False,
        "log.cleanup.policy": ["compact", "delete"],
        "message.max.bytes": "2000",
    }
    assert check_started_with(given_values) == {
        "num.partitions": "3",
        "auto.create.topics.enable": "false",
        "log.cleanup.policy": "compact,delete",
        "message.max.bytes": "2000",
    }


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("num.partition", 3, "num.partitions"),
        ("NUM_PARTITIONS", 3, "num.partitions"),
        ("num.partitions", "many", "expected int"),
        ("num.partitions", 0, "at least 1"),
        ("num.partitions", None, "expected int"),
        ("auto.create.topics.enable", "yes", "expected boolean"),
        ("log.message.timestamp.type", "now", "CreateTime, LogAppendTime"),
        ("replica.selector.class", "com.example.Mine", "RackAwareReplicaSelector"),
        ("log.cleaner.threads", 2, "does not act on it yet"),
        ("log.cleaner.enable", True, "leave it at 'false'"),
        ("node.id", 1, "brokers"),
        ("broker.rack", "a", "racks"),
        ("listeners", "PLAINTEXT://:1", "ports"),
    ],
)
def test_a_setting_that_cannot_be_honoured_is_refused_with_advice(
    name: str, value: object, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        check_started_with({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("log.cleaner.threads", 1), ("log.cleaner.enable", False), ("num.io.threads", 99), ("log.dirs", "/x")],
)
def test_what_changes_nothing_that_a_client_can_see_is_accepted(name: str, value: object) -> None:
    assert name in check_started_with({name: value})


# -- settings in force --------------------------------------------------------------------------------


def test_defaults_are_kafkas_except_where_they_only_make_tests_slow() -> None:
    delay = settings.GROUP_INITIAL_REBALANCE_DELAY_MS
    assert BrokerConfig(1)[delay] == 0
    assert BrokerConfig(1, friendly=False)[delay] == 3000
    assert BrokerConfig(1, {"group.initial.rebalance.delay.ms": 7})[delay] == 7
    eased = [s.name for s in settings.ACTED_ON.values() if s.friendly is not None]
    assert eased == ["group.initial.rebalance.delay.ms"]


def test_a_brokers_own_alteration_counts_before_everybodys_and_that_before_the_start() -> None:
    config = BrokerConfig(1, {"message.max.bytes": 100})
    assert config[settings.MESSAGE_MAX_BYTES] == 100
    assert config.heed(image(everybody={"message.max.bytes": "200"}))
    assert config[settings.MESSAGE_MAX_BYTES] == 200
    assert config.heed(image(everybody={"message.max.bytes": "200"}, one={"message.max.bytes": "300"}))
    assert config[settings.MESSAGE_MAX_BYTES] == 300
    assert config.heed(image())
    assert config[settings.MESSAGE_MAX_BYTES] == 100


def test_an_image_without_other_settings_changes_nothing() -> None:
    config = BrokerConfig(1)
    config.derived["something"] = 1
    assert not config.heed(image())
    assert config.derived


@pytest.mark.parametrize(
    ("given_values", "retention_ms"),
    [
        ({}, 7 * 24 * 3_600_000),
        ({"log.retention.hours": 1}, 3_600_000),
        ({"log.retention.hours": 1, "log.retention.minutes": 2}, 120_000),
        ({"log.retention.hours": 1, "log.retention.minutes": 2, "log.retention.ms": 3}, 3),
        ({"log.retention.hours": -1}, -1),
    ],
)
def test_the_finer_unit_of_a_time_counts_first(given_values: dict[str, int], retention_ms: int) -> None:
    assert BrokerConfig(1, given_values).first_of("log.retention.ms") == retention_ms
