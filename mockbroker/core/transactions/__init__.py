"""The transaction coordinator: transactional ids, the transactions they have open, and how these end.

`states` and `records` say what is so and how it is written; `fencing`, `adding` and `ending` decide what may
become of it; `shard` writes, waits and replays; `markers` tells the leaders of partitions.
"""
