from mockbroker.protocol.errors import ErrorCode
from mockbroker.protocol.messages.groups import DescribeGroupsRequest
from tests.core.groups.desk import GROUP, Client, Desk, stable

E = ErrorCode
MINUTE = 60_000
RETENTION = 10 * MINUTE


def soon_forgotten() -> Desk:
    return Desk(offsets_retention_minutes=10, offsets_retention_check_interval_ms=MINUTE)


def told(desk: Desk) -> int:
    answer: int = desk.ask(DescribeGroupsRequest(groups=[GROUP])).answer.groups[0].error_code
    return answer


def test_a_group_that_only_stores_offsets_loses_them_one_retention_after_each_commit() -> None:
    desk = soon_forgotten()
    desk.commit(1)
    desk.advance(5 * MINUTE)
    desk.commit(2, index=1)
    desk.advance(5 * MINUTE)
    assert (desk.committed(), desk.committed(1), told(desk)) == (-1, 2, E.NONE)
    desk.advance(5 * MINUTE)
    assert (desk.committed(1), told(desk)) == (-1, E.GROUP_ID_NOT_FOUND)


def test_a_group_that_lost_its_members_keeps_its_offsets_for_one_retention_from_then_on() -> None:
    desk = soon_forgotten()
    a = Client(desk, session_ms=30 * MINUTE)
    stable(desk, a)
    a.commit(1)
    desk.advance(15 * MINUTE)
    a.leave()
    desk.advance(RETENTION - MINUTE)
    assert desk.committed() == 1
    desk.advance(MINUTE)
    assert (desk.committed(), told(desk)) == (-1, E.GROUP_ID_NOT_FOUND)


def test_what_an_active_group_subscribes_never_expires_and_what_it_does_not_does() -> None:
    desk = soon_forgotten()
    desk.make_topic("other", 1)
    desk.commit(9, topic="other")
    a = Client(desk, session_ms=30 * MINUTE)
    stable(desk, a)
    a.commit(1)
    desk.advance(2 * RETENTION)
    assert (desk.committed(), desk.committed(topic="other")) == (1, -1)
    assert told(desk) == E.NONE


def test_nothing_of_an_active_group_of_another_kind_expires() -> None:
    desk = soon_forgotten()
    desk.commit(9)
    other = Client(desk, protocol_type="connect", session_ms=30 * MINUTE, rebalance_ms=30 * MINUTE)
    other.enter()
    other.sync(protocol_type="connect")
    desk.advance(2 * RETENTION)
    assert desk.committed() == 9


def test_an_offset_that_came_with_a_retention_of_its_own_goes_by_that() -> None:
    desk = soon_forgotten()
    desk.commit(1, retention_time_ms=2 * MINUTE, version=4)
    desk.commit(2, index=1, retention_time_ms=30 * MINUTE, version=4)
    desk.advance(2 * MINUTE)
    assert (desk.committed(), desk.committed(1)) == (-1, 2)
    desk.advance(20 * MINUTE)
    assert desk.committed(1) == 2


def test_time_keeps_counting_through_a_failover() -> None:
    desk = soon_forgotten()
    a = Client(desk)
    stable(desk, a)
    a.commit(1)
    a.leave()
    desk.advance(6 * MINUTE)
    desk.fail_over()
    desk.advance(4 * MINUTE)
    assert (desk.committed(), told(desk)) == (-1, E.GROUP_ID_NOT_FOUND)


def test_an_empty_group_without_offsets_is_gone_at_the_next_look() -> None:
    desk = soon_forgotten()
    Client(desk).join()
    assert told(desk) == E.NONE
    desk.advance(MINUTE)
    assert told(desk) == E.GROUP_ID_NOT_FOUND


def test_where_there_are_no_groups_nobody_looks() -> None:
    desk = Desk(offsets_retention_minutes=10, offsets_retention_check_interval_ms=1000)
    clock = desk.world.clock
    assert clock.next_due != clock.now + 1000
    desk.commit(1)
    assert clock.next_due == clock.now + 1000
    desk.advance(RETENTION)
    assert desk.shard().groups == {}
    assert clock.next_due != clock.now + 1000


def test_a_test_need_not_wait_for_the_retention() -> None:
    desk = soon_forgotten()
    a = Client(desk)
    stable(desk, a)
    a.commit(1)
    desk.shard().expire_offsets(GROUP)
    assert desk.committed() == 1, "its topic is subscribed"
    a.leave()
    desk.shard().expire_offsets(GROUP)
    desk.world.settle()
    assert (desk.committed(), told(desk)) == (-1, E.GROUP_ID_NOT_FOUND)
