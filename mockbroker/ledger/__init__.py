"""The fate of every record: what was sent, where it went, who was told, who read it, and what was lost.

    facts      what is known, as plain values, one per batch or per range and never one per record
    logs       one partition's batches: copies, commitment, elections, what they lose
    requests   what belongs to a request until its answer has left
    ledger     the witness: hears the core, keeps the facts, forgets the oldest
    snapshot   all facts at one moment, for those who judge
    contents   the records in a batch
    fates      the story of one record

Nothing here decides anything.  Memory is bounded by `BATCHES_MAX` and its companions; what was forgotten is said.
"""
