"""Feature levels (KIP-584): what the brokers of this release can do, and which level a cluster may go to.

Listed are the features that mean something here.  A level that is finalized is part of the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from mockbroker.protocol.errors import ErrorCode, KafkaError

METADATA_VERSION = "metadata.version"
# Replicas that left the ISR may still be safe to elect (KIP-966).
ELIGIBLE_LEADER_REPLICAS = "eligible.leader.replicas.version"
# With level 2 every end of a transaction brings a new epoch (KIP-890); clients look for it in ApiVersions.
TRANSACTION_VERSION = "transaction.version"


@dataclass(frozen=True, slots=True)
class Feature:
    """The levels that this release supports.  Level 0 means that a feature is off."""

    name: str
    min_level: int
    max_level: int


# metadata.version 33 is what a cluster formatted by Kafka 4.4 has (4.4-IV0).
FEATURES = {
    feature.name: feature
    for feature in (
        Feature(METADATA_VERSION, 7, 33),
        Feature(ELIGIBLE_LEADER_REPLICAS, 0, 1),
        Feature(TRANSACTION_VERSION, 0, 2),
    )
}

# What a new cluster has: everything on.
FIRST_LEVELS: Mapping[str, int] = {name: feature.max_level for name, feature in FEATURES.items()}


class UpgradeType(IntEnum):
    """How a level may change."""

    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    UNSAFE_DOWNGRADE = 3


def check_update(levels: Mapping[str, int], name: str, level: int, upgrade_type: int) -> None:
    """Raise KafkaError INVALID_UPDATE_VERSION unless the feature may go to this level from those that hold."""
    reason = _reason_against(levels, name, level, upgrade_type)
    if reason:
        raise KafkaError(ErrorCode.INVALID_UPDATE_VERSION, reason)


def _reason_against(levels: Mapping[str, int], name: str, level: int, upgrade_type: int) -> str:
    wrong = f"Invalid update version {level} for feature {name}."
    current, feature = levels.get(name, 0), FEATURES.get(name)
    if upgrade_type not in tuple(UpgradeType):
        return f"{wrong} The controller does not support the given upgrade type."
    if level < 0:
        return f"{wrong} A feature version cannot be less than 0."
    if feature is None:
        return f"{wrong} This controller does not support this feature."
    if not feature.min_level <= level <= feature.max_level:
        return f"{wrong} This controller only supports versions {feature.min_level}-{feature.max_level}"
    if level < current and upgrade_type == UpgradeType.UPGRADE:
        return f"{wrong} Lowering it needs one of the upgrade types for downgrades, safe or unsafe."
    if level > current and upgrade_type != UpgradeType.UPGRADE:
        return f"{wrong} A downgrade cannot lead to a newer version."
    if level < current and name == METADATA_VERSION:
        # Every level of Kafka 4.4 has changed what the metadata log says, and unsafe ones are not to be had.
        return f"Unsupported {name} downgrade from {current} to {level}: it might delete metadata."
    return ""
