"""Reading and changing the configuration of topics, brokers, groups and client metrics.

AlterConfigs replaces everything a resource has; IncrementalAlterConfigs changes what it names.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import Int8, Int16, Int32, since, until


@struct
class DescribeConfigsResource:
    """One resource; keys null means all."""

    resource_type: Int8 = 0
    resource_name: str = ""
    configuration_keys: list[str] | None = []


@message(api=32, versions="0-4", flexible="4+")
class DescribeConfigsRequest:
    """Read configurations.

    v1 synonyms - v3 documentation - v4 flexible
    """

    resources: list[DescribeConfigsResource] = []
    include_synonyms: Annotated[bool, since(1)] = False
    include_documentation: Annotated[bool, since(3)] = False


@struct
class ConfigSynonym:
    """Where else a setting has a value, in order of precedence."""

    name: str = ""
    value: str | None = ""
    source: Int8 = 0


@struct
class DescribedConfig:
    """One setting.

    v0 only whether it is the default - v1 where its value comes from, and synonyms - v3 type and
    documentation
    """

    name: str = ""
    value: str | None = ""
    read_only: bool = False
    is_default: Annotated[bool, until(0)] = False
    config_source: Annotated[Int8, since(1)] = -1
    is_sensitive: bool = False
    synonyms: Annotated[list[ConfigSynonym], since(1)] = []
    config_type: Annotated[Int8, since(3)] = 0
    documentation: Annotated[str | None, since(3)] = ""


@struct
class DescribeConfigsResult:
    """The settings of one resource."""

    error_code: Int16 = 0
    error_message: str | None = ""
    resource_type: Int8 = 0
    resource_name: str = ""
    configs: list[DescribedConfig] = []


@message(api=32, versions="0-4", flexible="4+")
class DescribeConfigsResponse:
    """Answers DescribeConfigsRequest.

    v4 flexible
    """

    throttle_time_ms: Int32 = 0
    results: list[DescribeConfigsResult] = []


@struct
class AlterableConfig:
    """One setting; null removes it."""

    name: str = ""
    value: str | None = ""


@struct
class AlterConfigsResource:
    """All settings that one resource is to have."""

    resource_type: Int8 = 0
    resource_name: str = ""
    configs: list[AlterableConfig] = []


@message(api=33, versions="0-2", flexible="2+")
class AlterConfigsRequest:
    """Replace configurations as a whole.

    v2 flexible
    """

    resources: list[AlterConfigsResource] = []
    validate_only: bool = False


@struct
class AlterConfigsResult:
    """Whether one resource was changed."""

    error_code: Int16 = 0
    error_message: str | None = ""
    resource_type: Int8 = 0
    resource_name: str = ""


@message(api=33, versions="0-2", flexible="2+")
class AlterConfigsResponse:
    """Answers AlterConfigsRequest.

    v2 flexible
    """

    throttle_time_ms: Int32 = 0
    responses: list[AlterConfigsResult] = []


@struct
class IncrementalAlterableConfig:
    """One change: set 0, delete 1, append 2 or subtract 3."""

    name: str = ""
    config_operation: Int8 = 0
    value: str | None = ""


@struct
class IncrementalAlterConfigsResource:
    """The changes to one resource."""

    resource_type: Int8 = 0
    resource_name: str = ""
    configs: list[IncrementalAlterableConfig] = []


@message(api=44, versions="0-1", flexible="1+")
class IncrementalAlterConfigsRequest:
    """Change configurations setting by setting (KIP-339).

    v1 flexible
    """

    resources: list[IncrementalAlterConfigsResource] = []
    validate_only: bool = False


@struct
class IncrementalAlterConfigsResult:
    """Whether one resource was changed."""

    error_code: Int16 = 0
    error_message: str | None = ""
    resource_type: Int8 = 0
    resource_name: str = ""


@message(api=44, versions="0-1", flexible="1+")
class IncrementalAlterConfigsResponse:
    """Answers IncrementalAlterConfigsRequest.

    v1 flexible
    """

    throttle_time_ms: Int32 = 0
    responses: list[IncrementalAlterConfigsResult] = []


@message(api=74, versions="0-1", flexible="0+")
class ListConfigResourcesRequest:
    """List resources that have a configuration.

    v0 client metrics only - v1 of these types (KIP-1142)
    """

    resource_types: Annotated[list[Int8], since(1)] = []


@struct
class ConfigResource:
    """One resource.  v1 type."""

    resource_name: str = ""
    resource_type: Annotated[Int8, since(1)] = 16


@message(api=74, versions="0-1", flexible="0+")
class ListConfigResourcesResponse:
    """Answers ListConfigResourcesRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    config_resources: list[ConfigResource] = []
