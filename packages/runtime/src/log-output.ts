import { constants, openSync, writeSync } from 'node:fs'
import { LOG_BUFFER_BYTES, LOG_FLUSH_MS, LOG_RETRY_MS } from './limits.js'

/** Codes of a write that would block: EAGAIN while the reader of a pipe, a socket or a terminal does not read. */
const LATER = new Set(['EAGAIN', 'EINTR'])

/**
 * Lines on their way to a file descriptor that does not block. A line is written before `write` returns, so that the
 * one before a crash is there. While the reader stalls, lines wait in a buffer of bounded size, and those that do not
 * fit are dropped and counted; so are those that a closed reader, or a full disk, refuses. Work goes on in each case.
 */
export class LineOutput {
  readonly #fd: number
  /** Called with the number of dropped lines, once the reader takes lines again. */
  readonly #onBack: (dropped: number) => void
  /** The first one may be the rest of a line. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #unreported = 0
  #timer: NodeJS.Timeout | undefined
  dropped = 0

  constructor(fd: number, onBack: (dropped: number) => void) {
    this.#fd = fd
    this.#onBack = onBack
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#waiting.length > 0 && this.#waitingBytes + bytes.length > LOG_BUFFER_BYTES) {
      this.#drop(1)
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#waiting.length === 1) this.#send()
  }

  /** Waits briefly for the reader: for the end of the process, which its last lines explain. */
  flush(): void {
    const deadlineMs = performance.now() + LOG_FLUSH_MS
    const clock = new Int32Array(new SharedArrayBuffer(4))
    this.#send()
    while (this.#waiting.length > 0 && performance.now() < deadlineMs) {
      Atomics.wait(clock, 0, 0, LOG_RETRY_MS)
      this.#send()
    }
  }

  #send(): void {
    clearTimeout(this.#timer)
    try {
      for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
        const written = writeSync(this.#fd, next)
        this.#waitingBytes -= written
        if (written < next.length) this.#waiting[0] = next.subarray(written)
        else this.#waiting.shift()
      }
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (LATER.has(code)) {
        // Node has no event for a descriptor that becomes writable. The timer does not keep the process alive.
        this.#timer = setTimeout(() => this.#send(), LOG_RETRY_MS).unref()
        return
      }
      this.#drop(this.#waiting.length)
      this.#waiting = []
      this.#waitingBytes = 0
      return
    }
    if (this.#unreported === 0) return
    const dropped = this.#unreported
    this.#unreported = 0
    this.#onBack(dropped)
  }

  #drop(lines: number): void {
    this.dropped += lines
    this.#unreported += lines
  }
}

let standardOutput: LineOutput | undefined

/** One for the process: lines of several loggers must not interrupt each other. */
export function openStandardOutput(onBack: (dropped: number) => void): LineOutput {
  if (standardOutput) return standardOutput
  const output = new LineOutput(standardDescriptor(), onBack)
  process.on('exit', () => output.flush())
  standardOutput = output
  return output
}

export const droppedLogLines = (): number => standardOutput?.dropped ?? 0

/** Node makes the descriptor of a pipe or a socket non-blocking as it opens `process.stdout`, but not a terminal's. */
function standardDescriptor(): number {
  const { fd, isTTY } = process.stdout
  if (!isTTY) return fd
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return fd // it belongs to another user, or this system has no /proc
  }
}
