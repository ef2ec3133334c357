"""Imports every area, so that all cases are on the list."""

from conformance.cases import (
    a_protocol,
    b_metadata,
    c_produce,
    d_idempotence,
    e_fetch,
    e_offsets,
    f_replication,
    g_classic,
    g_offsets,
    g_static,
    j_configs,
    j_described,
    j_features,
    j_topics,
    r_random,
)

__all__ = [
    "a_protocol",
    "b_metadata",
    "c_produce",
    "d_idempotence",
    "e_fetch",
    "e_offsets",
    "f_replication",
    "g_classic",
    "g_offsets",
    "g_static",
    "j_configs",
    "j_described",
    "j_features",
    "j_topics",
    "r_random",
]
