"""Floor 1: record batches, their records, their codecs and checksums.

    batch        a stored batch: parse, place, iterate      validate     what a topic lets producers append
    builder      batches from records, and markers          survey       a fast look over many records
    record       one record and its bytes                   varints      the numbers in it
    compression  five codecs, bounded                       crc          CRC-32C

Imports only `mockbroker.protocol.errors`.  Reads and writes format v2, the only one that Kafka 4 stores and
that Produce from v3 and Fetch from v4 carry.  The message sets v0 and v1 of older requests would be a file
beside these, `legacy`, that turns them into batches and back; `batch.entry_size` knows their outline already.
"""
