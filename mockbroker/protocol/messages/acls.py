"""Access control lists: describing, making and deleting them.

Types and operations are numbers here; their meaning is the authorizer's.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import Int8, Int16, Int32, since


@message(api=29, versions="0-3", flexible="2+")
class DescribeAclsRequest:
    """Describe the ACLs that match a filter.

    v1 pattern types - v2 flexible - v3 users as resources
    """

    resource_type_filter: Int8 = 0
    resource_name_filter: str | None = ""
    pattern_type_filter: Annotated[Int8, since(1)] = 3
    principal_filter: str | None = ""
    host_filter: str | None = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


@struct
class AclDescription:
    """One entry: who may, or may not, do what from where."""

    principal: str = ""
    host: str = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


@struct
class DescribeAclsResource:
    """The entries of one resource."""

    resource_type: Int8 = 0
    resource_name: str = ""
    pattern_type: Annotated[Int8, since(1)] = 3
    acls: list[AclDescription] = []


@message(api=29, versions="0-3", flexible="2+")
class DescribeAclsResponse:
    """Answers DescribeAclsRequest.

    v1 pattern types - v2 flexible
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""
    resources: list[DescribeAclsResource] = []


@struct
class AclCreation:
    """One entry to make."""

    resource_type: Int8 = 0
    resource_name: str = ""
    resource_pattern_type: Annotated[Int8, since(1)] = 3
    principal: str = ""
    host: str = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


@message(api=30, versions="0-3", flexible="2+")
class CreateAclsRequest:
    """Make ACLs.

    v1 pattern types - v2 flexible - v3 users as resources
    """

    creations: list[AclCreation] = []


@struct
class AclCreationResult:
    """Whether one entry was made."""

    error_code: Int16 = 0
    error_message: str | None = ""


@message(api=30, versions="0-3", flexible="2+")
class CreateAclsResponse:
    """Answers CreateAclsRequest, in the same order.

    v2 flexible
    """

    throttle_time_ms: Int32 = 0
    results: list[AclCreationResult] = []


@struct
class DeleteAclsFilter:
    """Which entries to delete."""

    resource_type_filter: Int8 = 0
    resource_name_filter: str | None = ""
    pattern_type_filter: Annotated[Int8, since(1)] = 3
    principal_filter: str | None = ""
    host_filter: str | None = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


@message(api=31, versions="0-3", flexible="2+")
class DeleteAclsRequest:
    """Delete the ACLs that match filters.

    v1 pattern types - v2 flexible - v3 users as resources
    """

    filters: list[DeleteAclsFilter] = []


@struct
class DeleteAclsMatchingAcl:
    """One entry that matched."""

    error_code: Int16 = 0
    error_message: str | None = ""
    resource_type: Int8 = 0
    resource_name: str = ""
    pattern_type: Annotated[Int8, since(1)] = 3
    principal: str = ""
    host: str = ""
    operation: Int8 = 0
    permission_type: Int8 = 0


@struct
class DeleteAclsFilterResult:
    """What one filter matched."""

    error_code: Int16 = 0
    error_message: str | None = ""
    matching_acls: list[DeleteAclsMatchingAcl] = []


@message(api=31, versions="0-3", flexible="2+")
class DeleteAclsResponse:
    """Answers DeleteAclsRequest, in the same order.

    v1 pattern types - v2 flexible
    """

    throttle_time_ms: Int32 = 0
    filter_results: list[DeleteAclsFilterResult] = []
