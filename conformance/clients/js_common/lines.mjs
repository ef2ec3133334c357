// The line protocol of lines.py for clients written in JavaScript: a client exports a class that has a
// method for each verb. It is copied beside each of them.

import readline from 'node:readline'

/** Obey orders until there are no more. */
export async function serve(open) {
  // A library that prints must not be taken for an answer.
  const answer = process.stdout.write.bind(process.stdout)
  process.stdout.write = process.stderr.write.bind(process.stderr)
  let story
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: verb, ...order } = JSON.parse(line)
    let answered
    try {
      if (verb === 'open') {
        story = await open(order)
        answered = { ok: story.lacks }
      } else {
        answered = { ok: (await story[verb](order)) ?? null }
      }
    } catch (failed) {
      answered = { error: `${failed.name}: ${failed.message}` }
    }
    answer(JSON.stringify(answered) + '\n')
  }
  process.exit(0) // timers and connections do not keep the program from ending
}

export const bytes = (text) => (text === null ? null : Buffer.from(text, 'base64'))
export const text = (value) => (value == null ? null : Buffer.from(value).toString('base64'))

/** Takes what a library delivers by itself until a story asks for it. */
export class Mailbox {
  records = []
  failure = null
  #wake = () => {}

  put(record) {
    this.records.push(record)
    this.#wake()
  }

  fail(failure) {
    this.failure ??= failure
    this.#wake()
  }

  /** So many records, or what there is when the wait is over. */
  async take(count, waitMs) {
    const end = Date.now() + waitMs
    while (this.records.length < count && this.failure === null && Date.now() < end) {
      await new Promise((resolve) => {
        this.#wake = resolve
        setTimeout(resolve, end - Date.now())
      })
    }
    if (this.failure !== null) throw this.failure
    return this.records.splice(0, count)
  }

  clear() {
    this.records = []
  }
}

/** Ask again until it is true. */
export async function until(isTrue, deadlineMs, what) {
  const end = Date.now() + deadlineMs
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`${what} not after ${deadlineMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
