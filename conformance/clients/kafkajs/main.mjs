// kafkajs, obeying the line protocol of lines.py.
//
// Its consumers always have a group and run by themselves; a mailbox keeps what they deliver. Partitions
// assigned by hand are a group of one with a seek, which is how its documentation has it.

import { randomUUID } from 'node:crypto'
import kafkajs from 'kafkajs'
import { Mailbox, bytes, serve, text, until } from './lines.mjs'

const { CompressionTypes, Kafka, PartitionAssigners, logLevel } = kafkajs

const OTHER_CODECS = 'kafkajs has gzip built in and leaves the other codecs to packages'
const LACKS = {
  SNAPPY: OTHER_CODECS,
  LZ4: OTHER_CODECS,
  ZSTD: OTHER_CODECS,
  NULL_HEADER: 'kafkajs sends a null header as an empty one',
  RANGE: 'kafkajs has a round-robin assignor only',
  STICKY: 'kafkajs has a round-robin assignor only',
  COOPERATIVE: 'kafkajs has a round-robin assignor only',
  STATIC: 'kafkajs has no group.instance.id',
}

// The longest pause between two attempts.
const RETRY_MS = 100

class Story {
  lacks = LACKS
  producers = new Map()
  readers = new Map()
  members = new Map()

  constructor({ bootstrap, timers }) {
    this.timers = timers
    const retry = {
      initialRetryTime: timers.retry_backoff_ms,
      maxRetryTime: RETRY_MS,
      // It counts where other clients have a deadline. A hundred are 9 s, and a real Kafka takes up to
      // 13 s until somebody else leads what a dead broker led.
      retries: Math.ceil(timers.deadline_ms / RETRY_MS),
    }
    this.kafka = new Kafka({
      brokers: bootstrap.split(','),
      logLevel: logLevel.ERROR,
      requestTimeout: timers.request_timeout_ms,
      retry,
    })
  }

  async produce({ topic, records, acks, codec, idempotent }) {
    const manner = acks + codec + idempotent
    if (!this.producers.has(manner)) {
      const settings = idempotent ? { idempotent, maxInFlightRequests: 1 } : {}
      const producer = this.kafka.producer(settings)
      await producer.connect()
      this.producers.set(manner, producer)
    }
    const answers = await this.producers.get(manner).send({
      topic,
      acks: { 0: 0, 1: 1, all: -1 }[acks],
      compression: codec === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None,
      messages: records.map(message),
    })
    if (acks === '0') return null
    // One answer for each partition: the first offset of what was sent there.
    const next = new Map(answers.map((answer) => [answer.partition, Number(answer.baseOffset)]))
    if (records.some((record) => record.partition === null)) return null
    return records.map(({ partition }) => {
      const offset = next.get(partition)
      next.set(partition, offset + 1)
      return offset
    })
  }

  async transact({ topic, records, transactional_id: transactionalId, commit }) {
    const producer = this.kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: records.map(message) })
    await (commit ? transaction.commit() : transaction.abort())
    await producer.disconnect()
  }

  async open_reader({ reader, topic, partitions, start, committed_only: committedOnly }) {
    const opened = new Consuming(this, topic, `by-hand-${randomUUID()}`, { readUncommitted: !committedOnly })
    this.readers.set(reader, opened)
    const offsets = new Map()
    for (const partition of partitions) {
      offsets.set(partition, await this.#start(topic, partition, start))
    }
    // Positioned while it joins and before it fetches, so that nothing is delivered from elsewhere.
    await opened.run(({ consumer }) => {
      for (const [partition, offset] of offsets) consumer.seek({ topic, partition, offset: String(offset) })
    }, partitions)
  }

  #start(topic, partition, start) {
    if (typeof start === 'number') return start
    return this.offset_at({ topic, partition, moment: start === 'end' ? 'latest' : 'earliest' })
  }

  take({ reader, count, wait_ms: waitMs }) {
    return this.readers.get(reader).mailbox.take(count, waitMs)
  }

  seek({ reader, partition, offset }) {
    const { consumer, mailbox, topic } = this.readers.get(reader)
    mailbox.clear()
    consumer.seek({ topic, partition, offset: String(offset) })
  }

  pause({ reader, partition }) {
    const { consumer, topic } = this.readers.get(reader)
    consumer.pause([{ topic, partitions: [partition] }])
  }

  resume({ reader, partition }) {
    const { consumer, topic } = this.readers.get(reader)
    consumer.resume([{ topic, partitions: [partition] }])
  }

  async close_reader({ reader }) {
    await this.readers.get(reader).consumer.disconnect()
    this.readers.delete(reader)
  }

  async offset_at({ topic, partition, moment }) {
    const admin = await this.#admin()
    if (typeof moment === 'number') return this.#offsetByTime(admin, topic, partition, moment)
    const found = (await admin.fetchTopicOffsets(topic)).find((one) => one.partition === partition)
    return Number(moment === 'earliest' ? found.low : found.high)
  }

  async #offsetByTime(admin, topic, partition, moment) {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, moment)
    const offset = Number(found.find((one) => one.partition === partition).offset)
    // It answers with the end where nothing is that young, and the end is no record.
    return offset < (await this.offset_at({ topic, partition, moment: 'latest' })) ? offset : null
  }

  async join({ member, group, topic, auto_commit: autoCommit }) {
    const joined = new Consuming(this, topic, group, {})
    this.members.set(member, joined)
    await joined.run(() => {}, null, autoCommit)
  }

  async poll({ member, wait_ms: waitMs }) {
    const { mailbox, owned, rebalances } = this.members.get(member)
    if (!mailbox.records.length) await mailbox.take(1, waitMs).then((found) => mailbox.records.push(...found))
    const records = mailbox.records.splice(0)
    return { records, owned, rebalances }
  }

  commit({ member, offsets }) {
    return this.members.get(member).commit(offsets)
  }

  async leave({ member }) {
    const { timers } = this
    const left = this.members.get(member)
    // A consumer that is told to go while it restarts itself, or is about to, comes back afterwards (2.2.4):
    // nobody can reach it any more, and it keeps its partitions for ever.
    left.leaving = true
    await until(() => !left.restarting, timers.deadline_ms, `the restart of ${member}`)
    await left.consumer.disconnect()
    this.members.delete(member)
  }

  async create_topic({ topic, partitions }) {
    const admin = await this.#admin()
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] })
  }

  async add_partitions({ topic, partitions }) {
    const admin = await this.#admin()
    await admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] })
  }

  async delete_topic({ topic }) {
    const admin = await this.#admin()
    await admin.deleteTopics({ topics: [topic] })
  }

  async partition_count({ topic }) {
    const admin = await this.#admin()
    // To describe an unknown topic is to create it, here: its metadata request always allows that.
    if (!(await admin.listTopics()).includes(topic)) return null
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0].partitions.length
  }

  async #admin() {
    if (this.admin === undefined) {
      this.admin = this.kafka.admin()
      await this.admin.connect()
    }
    return this.admin
  }

  async close() {
    const consuming = [...this.readers.values(), ...this.members.values()]
    for (const { consumer } of consuming) await consumer.disconnect()
    for (const producer of this.producers.values()) await producer.disconnect()
    await this.admin?.disconnect()
  }
}

/** A consumer that runs, and what it has told so far. */
class Consuming {
  mailbox = new Mailbox()
  owned = []
  rebalances = 0
  restarting = false
  leaving = false
  #read = new Map()

  constructor(story, topic, groupId, settings) {
    this.topic = topic
    this.timers = story.timers
    this.consumer = story.kafka.consumer({
      groupId,
      sessionTimeout: story.timers.session_timeout_ms,
      heartbeatInterval: story.timers.heartbeat_interval_ms,
      maxWaitTimeInMs: story.timers.fetch_max_wait_ms,
      partitionAssigners: [PartitionAssigners.roundRobin],
      // Five is its default: after so many it restarts itself, and finds its coordinator anew.
      retry: { retries: 5, restartOnFailure: async () => !this.leaving },
      ...settings,
    })
  }

  async run(position, wanted, autoCommit = false) {
    const { GROUP_JOIN, REBALANCING, CRASH } = this.consumer.events
    this.consumer.on(GROUP_JOIN, ({ payload }) => {
      this.rebalances += 1
      this.restarting = false
      this.owned = payload.memberAssignment[this.topic] ?? []
    })
    this.consumer.on(REBALANCING, () => {
      this.owned = []
    })
    // It restarts after most failures; the ones that it gives up on are the story's.
    this.consumer.on(CRASH, ({ payload }) => {
      this.restarting = payload.restart
      if (!payload.restart) this.mailbox.fail(payload.error)
    })
    await this.consumer.connect()
    await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true })
    await this.consumer.run({
      autoCommit,
      eachMessage: async ({ partition, message: found }) => {
        if (wanted !== null && !wanted.includes(partition)) return
        this.#read.set(partition, Number(found.offset) + 1)
        this.mailbox.put(received(partition, found))
      },
    })
    position(this)
    if (wanted !== null) {
      await until(() => this.rebalances, this.timers.deadline_ms, `a group of one for ${this.topic}`)
    }
  }

  async commit(offsets) {
    const chosen = offsets === null ? [...this.#read] : Object.entries(offsets)
    await this.consumer.commitOffsets(
      chosen.map(([partition, offset]) => ({
        topic: this.topic,
        partition: Number(partition),
        offset: String(offset),
      })),
    )
  }
}

function message({ value, key, headers, partition, timestamp_ms: timestamp }) {
  const grouped = {}
  for (const [name, given] of headers) (grouped[name] ??= []).push(bytes(given))
  return {
    value: bytes(value),
    key: bytes(key),
    headers: grouped,
    ...(partition === null ? {} : { partition }),
    ...(timestamp === null ? {} : { timestamp: String(timestamp) }),
  }
}

function received(partition, { value, key, headers, timestamp, offset }) {
  const pairs = Object.entries(headers ?? {}).flatMap(([name, given]) =>
    [given].flat().map((one) => [name, text(one)]),
  )
  return {
    value: text(value),
    key: text(key),
    headers: pairs,
    partition,
    timestamp_ms: Number(timestamp),
    offset: Number(offset),
  }
}

await serve((order) => new Story(order))
