import pytest

from mockbroker.core.links import Message
from mockbroker.core.messages import LoadCoordinator
from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import (
    DeleteGroupsRequest,
    DescribeGroupsRequest,
    ListGroupsRequest,
)
from tests.core.groups.desk import GROUP, Client, Desk, stable

E = ErrorCode
UNASKED = -(2**31)


def listed(desk: Desk, version: int = 5, **filters: list[str]) -> list[tuple[str, str, str, str]]:
    """Every group that any broker lists."""
    return sorted(
        (g.group_id, g.protocol_type, g.group_state, g.group_type)
        for node in desk.world.nodes.values()
        for g in desk.ask(ListGroupsRequest(**filters), version, node=node).answer.groups
    )


def three_groups() -> Desk:
    desk = Desk()
    stable(desk, Client(desk, group="working"))
    Client(desk, group="new").join()
    desk.commit(1, group="store")
    return desk


def test_all_groups_of_a_broker_are_listed() -> None:
    assert listed(three_groups()) == [
        ("new", "", "Empty", "classic"),
        ("store", "", "Empty", "classic"),
        ("working", "consumer", "Stable", "classic"),
    ]


@pytest.mark.parametrize("version", range(6))
def test_states_and_types_are_told_by_the_versions_that_know_them(version: int) -> None:
    state = "Stable" if version >= 4 else ""
    kind = "classic" if version >= 5 else ""
    assert ("working", "consumer", state, kind) in listed(three_groups(), version)


@pytest.mark.parametrize(
    ("states", "types", "found"),
    [
        (["stable"], [], ["working"]),
        (["EMPTY", "Stable"], [], ["new", "store", "working"]),
        (["Nonsense"], [], []),
        ([], ["Classic"], ["new", "store", "working"]),
        ([], ["consumer"], []),
        (["Empty"], ["consumer", "classic"], ["new", "store"]),
    ],
)
def test_filters_do_not_mind_how_they_are_spelled(
    states: list[str], types: list[str], found: list[str]
) -> None:
    groups = listed(three_groups(), states_filter=states, types_filter=types)
    assert [group[0] for group in groups] == found


def test_there_is_no_list_while_a_part_of_it_is_loading() -> None:
    desk = three_groups()

    def hold(message: Message) -> bool:
        return not isinstance(message, LoadCoordinator)

    desk.world.links.between = hold
    desk.hand_over()
    answer = desk.ask(ListGroupsRequest(), node=desk.coordinator()).answer
    assert (answer.error_code, answer.groups) == (E.COORDINATOR_LOAD_IN_PROGRESS, [])


@pytest.mark.parametrize("version", range(7))
def test_a_stable_group_is_described_with_its_members(version: int) -> None:
    desk = Desk()
    a = Client(desk, "app", instance_id="i")
    assignment = stable(desk, a)
    wanted = DescribeGroupsRequest(groups=[GROUP], include_authorized_operations=True)
    (group,) = desk.ask(wanted, version, node=desk.coordinator()).answer.groups
    assert (group.error_code, group.group_state, group.protocol_type, group.protocol_data) == (
        E.NONE, "Stable", "consumer", "range",
    )  # fmt: skip
    assert group.authorized_operations == (3400 if version >= 3 else UNASKED)
    (member,) = group.members
    assert (member.member_id, member.client_id, member.client_host) == (a.member_id, "app", "/127.0.0.1")
    assert member.group_instance_id == ("i" if version >= 4 else None)
    assert (member.member_metadata, member.member_assignment) == (
        a.protocols["range"],
        assignment[a.member_id],
    )


def test_operations_are_told_only_when_asked_for() -> None:
    desk = three_groups()
    (group,) = desk.ask(DescribeGroupsRequest(groups=["store"]), node=desk.coordinator("store")).answer.groups
    assert group.authorized_operations == UNASKED


def test_a_missing_group_is_dead_and_by_version_6_an_error() -> None:
    desk = Desk()
    wanted = DescribeGroupsRequest(groups=["nobody", ""], include_authorized_operations=True)
    older = desk.ask(wanted, 5, node=desk.coordinator("nobody")).answer.groups[0]
    assert (older.error_code, older.group_state, older.authorized_operations) == (E.NONE, "Dead", 3400)
    newer = desk.ask(wanted, 6, node=desk.coordinator("nobody")).answer.groups[0]
    assert (newer.error_code, newer.group_state) == (E.GROUP_ID_NOT_FOUND, "Dead")
    assert newer.error_message == "Group nobody not found."


def test_a_broker_answers_only_for_groups_of_its_own() -> None:
    desk = Desk()
    stable(desk, Client(desk))
    elsewhere = desk.world.nodes[desk.followers()[0]]
    (group,) = desk.ask(DescribeGroupsRequest(groups=[GROUP]), node=elsewhere).answer.groups
    assert group.error_code == E.NOT_COORDINATOR
    (result,) = desk.ask(DeleteGroupsRequest(groups_names=[GROUP]), node=elsewhere).answer.results
    assert result.error_code == E.NOT_COORDINATOR
