"""Floor 3: one file per API, each with two functions: the answer, and the same request refused.

Importing this package fills HANDLERS.  What has no handler is not advertised, and calling it closes the
connection.
"""

from mockbroker.handlers.registry import HANDLERS, Handler, answers

__all__ = ["HANDLERS", "Handler", "answers"]

# After the registry on purpose: each of these registers itself when it is imported.
from mockbroker.handlers import (  # noqa: F401 - see above
    add_offsets_to_txn,
    add_partitions_to_txn,
    alter_configs,
    api_versions,
    create_partitions,
    create_topics,
    delete_groups,
    delete_records,
    delete_topics,
    describe_cluster,
    describe_configs,
    describe_groups,
    describe_producers,
    describe_quorum,
    describe_topic_partitions,
    describe_transactions,
    elect_leaders,
    end_txn,
    fetch,
    find_coordinator,
    heartbeat,
    incremental_alter_configs,
    init_producer_id,
    join_group,
    leave_group,
    list_config_resources,
    list_groups,
    list_offsets,
    list_transactions,
    metadata,
    offset_commit,
    offset_delete,
    offset_fetch,
    offset_for_leader_epoch,
    produce,
    sync_group,
    txn_offset_commit,
    update_features,
    write_txn_markers,
)
