"""Client quotas: who may use how much of what.

An entity is a combination of user, client id and ip; a name that is null means the default for that type.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import Float64, Int8, Int16, Int32


@struct
class ComponentData:
    """What one part of the entity must be: exactly this 0, the default 1, or anything named 2."""

    entity_type: str = ""
    match_type: Int8 = 0
    match: str | None = ""


@message(api=48, versions="0-1", flexible="1+")
class DescribeClientQuotasRequest:
    """Describe the quotas of entities that match (KIP-546).

    v1 flexible
    """

    components: list[ComponentData] = []
    strict: bool = False


@struct
class EntityData:
    """One part of an entity; a name that is null is the default."""

    entity_type: str = ""
    entity_name: str | None = ""


@struct
class ValueData:
    """One quota."""

    key: str = ""
    value: Float64 = 0.0


@struct
class DescribedQuota:
    """The quotas of one entity."""

    entity: list[EntityData] = []
    values: list[ValueData] = []


@message(api=48, versions="0-1", flexible="1+")
class DescribeClientQuotasResponse:
    """Answers DescribeClientQuotasRequest.

    v1 flexible
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""
    entries: list[DescribedQuota] | None = []


@struct
class OpData:
    """One quota to set or to remove."""

    key: str = ""
    value: Float64 = 0.0
    remove: bool = False


@struct
class AlterQuotaEntry:
    """The changes to one entity."""

    entity: list[EntityData] = []
    ops: list[OpData] = []


@message(api=49, versions="0-1", flexible="1+")
class AlterClientQuotasRequest:
    """Change quotas (KIP-546).

    v1 flexible
    """

    entries: list[AlterQuotaEntry] = []
    validate_only: bool = False


@struct
class AlteredQuota:
    """Whether one entity was changed."""

    error_code: Int16 = 0
    error_message: str | None = ""
    entity: list[EntityData] = []


@message(api=49, versions="0-1", flexible="1+")
class AlterClientQuotasResponse:
    """Answers AlterClientQuotasRequest.

    v1 flexible
    """

    throttle_time_ms: Int32 = 0
    entries: list[AlteredQuota] = []
