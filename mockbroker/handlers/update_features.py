"""UpdateFeatures: change the levels of features for the whole cluster (KIP-584), all of them or none.

What changes is told by the next ApiVersions.  Where it went well, older versions list each feature with the
message "NONE", as Kafka does; where it did not, they list nothing.

v0 cannot lower anything, for its permission to do so is no longer heeded - v1 upgrade types and validate_only
(KIP-778) - v2 the features are not listed any more
"""

from __future__ import annotations

from mockbroker.core.call import Call
from mockbroker.core.controller import Controller
from mockbroker.core.features import UpgradeType, check_update
from mockbroker.core.node import Node
from mockbroker.core.ticket import Reply
from mockbroker.handlers.forwarding import by_controller, text_of
from mockbroker.handlers.registry import answers
from mockbroker.protocol.errors import KafkaError
from mockbroker.protocol.messages.cluster import (
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)


def refuse(call: Call[UpdateFeaturesRequest], error: KafkaError) -> UpdateFeaturesResponse:  # noqa: ARG001 - all are alike
    """Nothing was changed."""
    return UpdateFeaturesResponse(error_code=error.code, error_message=text_of(error))


@answers(
    UpdateFeaturesRequest,
    versions="0-2",
    refuse=refuse,
    simplified="knows the versions of metadata, eligible leader replicas and transactions; "
    "what else Kafka has is unsupported",
)
def update_features(call: Call[UpdateFeaturesRequest], node: Node) -> Reply[UpdateFeaturesResponse]:
    """Have the controller change them."""

    def update(controller: Controller) -> UpdateFeaturesResponse:
        levels = _checked(call, controller)
        if levels and not (call.version >= 1 and call.body.validate_only):
            controller.update_features(levels)
        return UpdateFeaturesResponse(
            error_message=None,
            results=[
                UpdatableFeatureResult(feature=asked.feature, error_message="NONE")
                for asked in call.body.feature_updates
            ],
        )

    return by_controller(call, node, update, refuse, call.body.timeout_ms)


def _checked(call: Call[UpdateFeaturesRequest], controller: Controller) -> dict[str, int]:
    """The levels that are asked for, of a feature that is named twice the last; or raise the first error."""
    updates = {asked.feature: asked for asked in call.body.feature_updates}
    for name, asked in updates.items():
        upgrade_type = asked.upgrade_type if call.version >= 1 else UpgradeType.UPGRADE
        check_update(controller.image.features, name, asked.max_version_level, upgrade_type)
    return {name: asked.max_version_level for name, asked in updates.items()}
