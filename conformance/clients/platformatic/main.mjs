// @platformatic/kafka, obeying the line protocol of lines.py.
//
// Its consumers are streams of a group; a mailbox keeps what they deliver. Partitions assigned by hand are
// a group of one whose stream starts at the offsets it is given.

import { randomUUID } from 'node:crypto'
import zlib from 'node:zlib'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { Mailbox, bytes, serve, text } from './lines.mjs'

const ASSIGNORS = '@platformatic/kafka has a round-robin assignor only'
const LACKS = {
  SEEK: 'a stream of @platformatic/kafka cannot be moved',
  PAUSE: '@platformatic/kafka pauses a whole stream, not a partition',
  RESET: '@platformatic/kafka fails on an offset that is out of range',
  STATIC: '@platformatic/kafka leaves its group when it is closed, static or not',
  TRANSACTIONS: '@platformatic/kafka takes CONCURRENT_TRANSACTIONS, which is answered for a moment, for a failure',
  DEATHS:
    '@platformatic/kafka gives up on a leader that died, and a coordinator that left the metadata ends its process',
  RANGE: ASSIGNORS,
  STICKY: ASSIGNORS,
  COOPERATIVE: ASSIGNORS,
  ...(zlib.zstdCompressSync ? {} : { ZSTD: `Node.js ${process.version} has no zstd` }),
}
const ACKS = { 0: 0, 1: 1, all: -1 }

class Story {
  lacks = LACKS
  producers = new Map()
  readers = new Map()
  members = new Map()

  constructor({ bootstrap, timers }) {
    this.timers = timers
    this.common = {
      clientId: 'story',
      bootstrapBrokers: bootstrap.split(','),
      requestTimeout: timers.request_timeout_ms,
      retries: 200,
      retryDelay: timers.retry_backoff_ms,
      autocreateTopics: false,
      metadataMaxAge: 200,
    }
    this.admin = new Admin(this.common)
  }

  async produce({ topic, records, acks, codec, idempotent }) {
    const manner = acks + codec + idempotent
    if (!this.producers.has(manner)) {
      this.producers.set(manner, new Producer({ ...this.common, compression: codec, idempotent }))
    }
    // Said with each send: the acks of the producer's own options are not used (1.35.0), the leader's are.
    const sending = { messages: records.map((one) => message(topic, one)), acks: ACKS[acks] }
    const sent = await this.producers.get(manner).send(sending)
    if (acks === '0' || records.some(({ partition }) => partition === null)) return null
    // The first offset of what was sent to each partition.
    const next = new Map(sent.offsets.map(({ partition, offset }) => [partition, Number(offset)]))
    return records.map(({ partition }) => {
      const offset = next.get(partition)
      next.set(partition, offset + 1)
      return offset
    })
  }

  async transact({ topic, records, transactional_id: transactionalId, commit }) {
    const producer = new Producer({ ...this.common, transactionalId, idempotent: true })
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: records.map((one) => message(topic, one)) })
    await (commit ? transaction.commit() : transaction.abort())
    await producer.close()
  }

  async open_reader({ reader, topic, partitions, start, committed_only: committedOnly }) {
    const offsets = []
    for (const partition of partitions) {
      const moment = start === 'end' ? 'latest' : 'earliest'
      const offset = typeof start === 'number' ? start : await this.offset_at({ topic, partition, moment })
      offsets.push({ topic, partition, offset: BigInt(offset) })
    }
    const opened = new Consuming(this, topic, `by-hand-${randomUUID()}`)
    this.readers.set(reader, opened)
    await opened.run({ mode: 'manual', offsets, isolationLevel: committedOnly ? 1 : 0, autocommit: false })
  }

  take({ reader, count, wait_ms: waitMs }) {
    return this.readers.get(reader).mailbox.take(count, waitMs)
  }

  async close_reader({ reader }) {
    await this.readers.get(reader).close()
    this.readers.delete(reader)
  }

  async offset_at({ topic, partition, moment }) {
    const timestamp = { earliest: -2n, latest: -1n }[moment] ?? BigInt(moment)
    const partitions = [{ partitionIndex: partition, timestamp }]
    const [found] = await this.admin.listOffsets({ topics: [{ name: topic, partitions }] })
    const offset = Number(found.partitions[0].offset)
    return offset < 0 ? null : offset
  }

  async join({ member, group, topic, instance, auto_commit: autocommit }) {
    const joined = new Consuming(this, topic, group, instance)
    this.members.set(member, joined)
    // Not awaited: being assigned something comes later, and a failure is told when it is polled.
    joined.run({ mode: 'committed', fallbackMode: 'earliest', autocommit }).catch((failed) => {
      joined.mailbox.fail(failed)
    })
  }

  async poll({ member, wait_ms: waitMs }) {
    const { mailbox, owned, rebalances } = this.members.get(member)
    const records = await mailbox.take(1, waitMs)
    records.push(...mailbox.records.splice(0))
    return { records, owned, rebalances }
  }

  async commit({ member, offsets }) {
    const { consumer, read, topic } = this.members.get(member)
    const chosen = offsets === null ? [...read] : Object.entries(offsets)
    await consumer.commit({
      offsets: chosen.map(([partition, offset]) => ({
        topic,
        partition: Number(partition),
        offset: BigInt(offset),
        leaderEpoch: -1,
      })),
    })
  }

  async leave({ member }) {
    await this.members.get(member).close()
    this.members.delete(member)
  }

  async create_topic({ topic, partitions }) {
    await this.admin.createTopics({ topics: [topic], partitions, replicas: 1 })
  }

  async add_partitions({ topic, partitions }) {
    await this.admin.createPartitions({ topics: [{ name: topic, count: partitions }] })
  }

  async delete_topic({ topic }) {
    await this.admin.deleteTopics({ topics: [topic] })
  }

  async partition_count({ topic }) {
    // To ask for an unknown topic is to wait for it, here, until the retries are over.
    if (!(await this.admin.listTopics()).includes(topic)) return null
    const { topics } = await this.admin.metadata({ topics: [topic], forceUpdate: true })
    return topics.get(topic).partitionsCount
  }

  async close() {
    for (const consuming of [...this.readers.values(), ...this.members.values()]) await consuming.close()
    for (const producer of this.producers.values()) await producer.close()
    await this.admin.close()
  }
}

/** A consumer with its one stream, and what it has told so far. */
class Consuming {
  mailbox = new Mailbox()
  owned = []
  rebalances = 0
  read = new Map()

  constructor({ common, timers }, topic, groupId, instance = null) {
    this.topic = topic
    this.timers = timers
    this.consumer = new Consumer({
      ...common,
      groupId,
      sessionTimeout: timers.session_timeout_ms,
      heartbeatInterval: timers.heartbeat_interval_ms,
      maxWaitTime: timers.fetch_max_wait_ms,
      ...(instance === null ? {} : { groupInstanceId: instance }),
    })
    this.consumer.on('consumer:group:join', ({ assignments }) => {
      this.rebalances += 1
      this.owned = assignments?.find((one) => one.topic === topic)?.partitions ?? []
    })
    this.consumer.on('consumer:group:rebalance', () => {
      this.owned = []
    })
  }

  async run(how) {
    this.stream = await this.consumer.consume({ topics: [this.topic], ...how })
    this.stream.on('error', (failed) => this.mailbox.fail(failed))
    this.stream.on('data', (found) => {
      this.read.set(found.partition, Number(found.offset) + 1)
      this.mailbox.put(received(found))
    })
  }

  async close() {
    // One that never became a group's member has nothing to say goodbye to.
    await this.consumer.close(true)
  }
}

function message(topic, { value, key, headers, partition, timestamp_ms: timestamp }) {
  return {
    topic,
    value: bytes(value) ?? undefined,
    key: bytes(key) ?? undefined,
    headers: new Map(headers.map(([name, given]) => [Buffer.from(name), bytes(given)])),
    ...(partition === null ? {} : { partition }),
    ...(timestamp === null ? {} : { timestamp: BigInt(timestamp) }),
  }
}

function received({ value, key, headers, partition, timestamp, offset }) {
  return {
    value: text(value),
    key: text(key),
    headers: [...headers].map(([name, given]) => [name.toString(), text(given)]),
    partition,
    timestamp_ms: Number(timestamp),
    offset: Number(offset),
  }
}

await serve((order) => new Story(order))
