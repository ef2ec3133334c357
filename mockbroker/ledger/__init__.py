"""The fate of every record: what was sent, where it went, who was told, who read it, and what was lost.

    entries    what is noted: one entry per batch or per range, and never one per record
    logs       one partition's batches: copies, commitment, elections, and what elections cost
    requests   what belongs to a request until its answer has left
    book       the witness: hears the core, keeps the entries, forgets the oldest
    transactions   who asked for which end, what was decided, which markers were written
    contents   the records in a batch, and where else they are
    readers    which member of which group got what was served
    fates      the story of one record

Nothing here decides anything.  Memory is bounded; what was forgotten is said.
"""
