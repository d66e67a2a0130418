import { JOB_OPTIONS, type StoredJob } from '../job/stored-job.js'
import { ACCEPT_BYTES_MAX, ACCEPT_GATHER_MS, ACCEPT_MAX, ACCEPT_MS, STREAM_LENGTH } from '../limits.js'
import { SCRIPT_KEYS, type Scripted } from '../lua/job-scripts.js'
import type { Partition } from '../partitions.js'
import { within } from '../redis/timeout.js'
import type { Write } from './replicas.js'

type Arrival = { job: StoredJob; settle: (answer: string) => void; fail: (error: unknown) => void }

/**
 * The events of one partition on their way to Redis, as few large scripts instead of one each. Those that arrive in one
 * turn of the event loop, each in a request of its own, go together. Those that arrive while others are on their way
 * wait for these to be answered, but not for long: so the busier the door is, the more go together.
 */
export class Arrivals {
  readonly #write: Write<Scripted>
  readonly #partition: Partition
  #waiting: Arrival[] = []
  #bytes = 0
  #onTheirWay = 0
  #gathering: NodeJS.Timeout | undefined

  constructor(write: Write<Scripted>, partition: Partition) {
    this.#write = write
    this.#partition = partition
  }

  /** Resolves when the event is durable, with what the script answers. @throws; then it may be stored or not. */
  add(job: StoredJob): Promise<string> {
    return new Promise((settle, fail) => {
      this.#waiting.push({ job, settle, fail })
      this.#bytes += job.data.length
      if (this.#waiting.length >= ACCEPT_MAX || this.#bytes >= ACCEPT_BYTES_MAX) void this.#send()
      else if (this.#waiting.length > 1) return
      else if (this.#onTheirWay === 0) setImmediate(() => void this.#send())
      // Redis may be frozen: then this one must not wait for the time-outs of others before its own begins.
      else this.#gathering = setTimeout(() => void this.#send(), ACCEPT_GATHER_MS)
    })
  }

  async #send(): Promise<void> {
    clearTimeout(this.#gathering)
    const arrivals = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    // They were so many that they have been sent before the turn was over.
    if (arrivals.length === 0) return
    const jobs = arrivals.map(({ job }) => job)
    this.#onTheirWay += 1
    try {
      // Whoever waits has a time-out of his own. This one is for those who gather meanwhile.
      const answers = await within(ACCEPT_MS, acceptMany(this.#write, this.#partition, jobs, JOB_OPTIONS))
      for (const [index, { settle }] of arrivals.entries()) settle(answers[index] ?? '')
    } catch (error) {
      for (const { fail } of arrivals) fail(error)
    }
    this.#onTheirWay -= 1
    if (this.#onTheirWay === 0) void this.#send()
  }
}

/** What the script answers of each job. Without options it revives, and adds none. */
export function acceptMany(
  write: Write<Scripted>,
  { prefix, key }: Partition,
  jobs: readonly StoredJob[],
  options: string,
): Promise<string[]> {
  const keys = [...SCRIPT_KEYS, ...jobs.map(({ id }) => id)].map(key)
  const values = jobs.flatMap(({ id, name, data, timestampMs }) => [id, name, data, timestampMs])
  return write(prefix, (client) => client.clerkAccept(keys.length, ...keys, options, STREAM_LENGTH, ...values))
}
