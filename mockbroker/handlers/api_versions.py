"""ApiVersions: which APIs this broker serves, in which versions, and which features are on.

Any version of this request is understood well enough to be answered: one that is unknown gets
UNSUPPORTED_VERSION in a version 0 body that names the range (the header is always version 0).

v3 software name and version, features - v4 lists features whose lowest level is 0 (v0-3 leave them out) -
v5 cluster id and node id, REBOOTSTRAP_REQUIRED on a mismatch (KIP-1242)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mockbroker.core.features import FEATURES
from mockbroker.handlers.registry import HANDLERS, answers
from mockbroker.protocol.apis import Api
from mockbroker.protocol.errors import ErrorCode, KafkaError
from mockbroker.protocol.messages.metadata import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeature,
    SupportedFeature,
)

if TYPE_CHECKING:
    from mockbroker.core.call import Call
    from mockbroker.core.node import Node

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")

# What a client says that does not know which broker it talks to.
NO_NODE = -1


def refuse(call: Call[ApiVersionsRequest], error: KafkaError) -> ApiVersionsResponse:  # noqa: ARG001 - all are alike
    """The request answered with an error; one key tells an overambitious client where to go on."""
    if error.code != ErrorCode.UNSUPPORTED_VERSION:
        return ApiVersionsResponse(error_code=error.code)
    handler = HANDLERS[Api.API_VERSIONS]
    return ApiVersionsResponse(
        error_code=error.code,
        api_keys=[
            ApiVersion(
                api_key=handler.api, min_version=handler.advertised_from, max_version=handler.max_version
            )
        ],
    )


@answers(
    ApiVersionsRequest,
    versions="0-5",
    refuse=refuse,
    simplified="names the APIs and features that are served here, and no others",
)
def api_versions(call: Call[ApiVersionsRequest], node: Node) -> ApiVersionsResponse:
    """List what is served."""
    if not HANDLERS[Api.API_VERSIONS].serves(call.version):
        return refuse(call, KafkaError(ErrorCode.UNSUPPORTED_VERSION))
    if call.version >= 3:
        body = call.body
        if not (
            _SOFTWARE.fullmatch(body.client_software_name)
            and _SOFTWARE.fullmatch(body.client_software_version)
        ):
            return refuse(call, KafkaError(ErrorCode.INVALID_REQUEST))
        call.peer.software = f"{body.client_software_name} {body.client_software_version}"
        if (body.cluster_id is None) != (body.node_id == NO_NODE):
            # A client that has been here before knows both, a new one neither.
            return refuse(call, KafkaError(ErrorCode.INVALID_REQUEST))
        if _is_elsewhere(body, node):
            return refuse(call, KafkaError(ErrorCode.REBOOTSTRAP_REQUIRED))
    return ApiVersionsResponse(
        api_keys=[
            ApiVersion(api_key=api, min_version=handler.advertised_from, max_version=handler.max_version)
            for api, handler in sorted(HANDLERS.items())
        ],
        supported_features=[
            SupportedFeature(name=name, min_version=feature.min_level, max_version=feature.max_level)
            for name, feature in FEATURES.items()
            if feature.min_level > 0 or call.version >= 4
        ],
        finalized_features_epoch=node.image.version,
        finalized_features=[
            FinalizedFeature(name=name, max_version_level=level, min_version_level=level)
            for name, level in node.image.features.items()
            if level > 0
        ],
    )


def _is_elsewhere(body: ApiVersionsRequest, node: Node) -> bool:
    """Whether the client thinks that it talks to another cluster or another broker."""
    return body.cluster_id is not None and (body.cluster_id, body.node_id) != (node.image.cluster_id, node.id)
