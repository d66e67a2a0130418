import { JOB_OPTIONS, type QueueJob } from '../job/queue-job.js'
import {
  ENQUEUE_BATCH_BYTES_MAX,
  ENQUEUE_BATCH_MAX,
  ENQUEUE_GATHER_MS,
  PROMPT_COMMAND_MS,
  STREAM_LENGTH,
} from '../limits.js'
import { type JobScripts, SCRIPT_KEYS } from '../lua/job-scripts.js'
import type { Partition } from '../partitions.js'
import { withTimeout } from '../redis/with-timeout.js'
import type { Write } from './replicas.js'

type PendingEvent = { job: QueueJob; settle: (answer: string) => void; fail: (error: unknown) => void }

/**
 * Sends the events of one partition to Redis in few large scripts instead of one script each. Events that arrive in one
 * turn of the event loop, each in a request of its own, form a batch. Events that arrive while a batch is in flight
 * wait for its answer, but not for long: so batches grow with the load.
 */
export class EnqueueBatcher {
  readonly #write: Write<JobScripts>
  readonly #partition: Partition
  #waiting: PendingEvent[] = []
  #bytes = 0
  #inFlight = 0
  #timer: NodeJS.Timeout | undefined

  constructor(write: Write<JobScripts>, partition: Partition) {
    this.#write = write
    this.#partition = partition
  }

  /** Resolves with the script's answer when the event is durable. @throws; then the event may be stored or not. */
  add(job: QueueJob): Promise<string> {
    return new Promise((settle, fail) => {
      this.#waiting.push({ job, settle, fail })
      this.#bytes += job.data.length
      if (this.#waiting.length >= ENQUEUE_BATCH_MAX || this.#bytes >= ENQUEUE_BATCH_BYTES_MAX) void this.#send()
      else if (this.#waiting.length > 1) return
      else if (this.#inFlight === 0) setImmediate(() => void this.#send())
      // Redis may be frozen: then this event must not wait for the time-outs of others before its own begins.
      else this.#timer = setTimeout(() => void this.#send(), ENQUEUE_GATHER_MS)
    })
  }

  async #send(): Promise<void> {
    clearTimeout(this.#timer)
    const arrivals = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    // The batch was full, and was sent before the turn ended.
    if (arrivals.length === 0) return
    const jobs = arrivals.map(({ job }) => job)
    this.#inFlight += 1
    try {
      // Each caller has its own timeout; this one bounds the batch, so later events are not held up.
      const answers = await withTimeout(PROMPT_COMMAND_MS, enqueueMany(this.#write, this.#partition, jobs, JOB_OPTIONS))
      for (const [index, { settle }] of arrivals.entries()) settle(answers[index] ?? '')
    } catch (error) {
      for (const { fail } of arrivals) fail(error)
    }
    this.#inFlight -= 1
    if (this.#inFlight === 0) void this.#send()
  }
}

/** The script's answer for each job. Without options it revives dead letters and adds no job. */
export function enqueueMany(
  write: Write<JobScripts>,
  { prefix, key }: Partition,
  jobs: readonly QueueJob[],
  options: string,
): Promise<string[]> {
  const keys = [...SCRIPT_KEYS, ...jobs.map(({ id }) => id)].map(key)
  const values = jobs.flatMap(({ id, name, data, timestampMs }) => [id, name, data, timestampMs])
  return write(prefix, (client) => client.clerkEnqueue(keys.length, ...keys, options, STREAM_LENGTH, ...values))
}
