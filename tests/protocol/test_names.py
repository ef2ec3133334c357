"""API keys and error codes by name."""

import pytest

from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import TEXTS, ErrorCode, KafkaError, MalformedMessage
from mockbroker.protocol.messages.groups import JoinGroupRequest, JoinGroupResponse
from mockbroker.protocol.schema import schema_of

BETWEEN_BROKERS = [4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82, 83, 84, 85, 86, 87]


def test_an_api_is_known_by_either_of_its_names() -> None:
    assert Api.named("JoinGroup") is Api.named("JOIN_GROUP") is Api.named(Api.JOIN_GROUP) is Api.JOIN_GROUP
    assert Api.named("Produce") is Api.PRODUCE


def test_an_api_leads_to_its_messages() -> None:
    assert Api.JOIN_GROUP.title == "JoinGroup"
    assert Api.JOIN_GROUP.request is JoinGroupRequest
    assert Api.JOIN_GROUP.response is JoinGroupResponse
    assert Api.JOIN_GROUP.versions == (0, 9)
    assert Api.JOIN_GROUP.flexible_from == 6
    assert Api.SASL_HANDSHAKE.flexible_from is None


def test_keys_have_no_gaps_and_all_but_the_brokers_own_have_messages() -> None:
    assert [int(api) for api in Api] == list(range(95))
    assert [int(api) for api in Api if not api.declared] == BETWEEN_BROKERS


@pytest.mark.parametrize("api", [api for api in Api if api.declared], ids=lambda api: api.title)
def test_request_and_response_agree_about_key_versions_and_encoding(api: Api) -> None:
    request, response = schema_of(api.request), schema_of(api.response)
    assert request.api_key == response.api_key == api
    for version in range(api.versions[0], api.versions[1] + 1):
        assert version in response.versions
        assert request.is_flexible(version) == response.is_flexible(version)


def test_what_is_said_between_brokers_only_has_no_messages() -> None:
    with pytest.raises(AssertionError, match="between brokers only"):
        _ = Api.VOTE.request


def test_a_misspelt_api_is_answered_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match=r"no API named 'JoinGroop'; did you mean .*JoinGroup"):
        Api.named("JoinGroop")
    with pytest.raises(ValueError, match=r"no API named '%'$"):
        Api.named("%")


def test_an_error_is_known_by_its_name_and_its_code() -> None:
    assert ErrorCode.named("NOT_COORDINATOR") is ErrorCode(16) is ErrorCode.named(ErrorCode.NOT_COORDINATOR)
    with pytest.raises(ValueError, match="did you mean NOT_COORDINATOR"):
        ErrorCode.named("NOT_COORDINATR")
    with pytest.raises(ValueError, match=r"no error named '%'$"):
        ErrorCode.named("%")


def test_codes_have_no_gaps_and_each_has_a_sentence() -> None:
    assert [int(code) for code in ErrorCode] == list(range(-1, 137))
    assert sorted(TEXTS) == list(range(-1, 137))
    assert all(code.text.endswith(".") for code in ErrorCode)


def test_clients_retry_what_may_pass_and_nothing_else() -> None:
    assert ErrorCode.NOT_LEADER_OR_FOLLOWER.retriable
    assert ErrorCode.COORDINATOR_LOAD_IN_PROGRESS.retriable
    assert not ErrorCode.NONE.retriable
    assert not ErrorCode.TOPIC_AUTHORIZATION_FAILED.retriable


def test_a_refusal_says_its_code_and_why() -> None:
    refused = KafkaError(ErrorCode.INVALID_REQUEST, "no topics")
    assert (refused.code, refused.message) == (42, "no topics")
    assert str(refused) == "INVALID_REQUEST: no topics"
    assert str(KafkaError(ErrorCode.UNKNOWN_MEMBER_ID)) == "UNKNOWN_MEMBER_ID: The group has no such member."


def test_malformed_bytes_are_a_value_error() -> None:
    assert issubclass(MalformedMessage, ValueError)
