import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../support/until.js'
import { sendHonest } from './honest.js'
import { nowS } from './request.js'
import type { EdgeSite } from './site.js'

export type SiegeOptions = { connections: number; durationMs: number }

export type SiegeReport = {
  /** Connections of the besieger that were open at once, as far as it could tell. */
  besiegersMost: number
  /** Of the door's own metrics: its most open connections, and how many it closed to make room. */
  openMost: number
  displaced: number
  timedOut: number
  honest: number
  medianHonestMs: number
  slowestHonestMs: number
  memoryMostMiB: number
  violations: string[]
}

/** Every way to hold a connection and give nothing for it. */
const KINDS = ['silent', 'headers', 'body', 'reader'] as const
type Kind = (typeof KINDS)[number]

/** Each second a part of them sends one byte more. */
const TRICKLE_MS = 1000
const TRICKLE_GROUPS = 4
/** So soon one that was closed comes back. */
const BACK_AFTER_MS = 1000
const OPENED_AT_ONCE = 100
const HONEST_EVERY_MS = 50
const MEBIBYTE = 1024 * 1024

const BEGINNINGS: Readonly<Record<Kind, () => string>> = {
  silent: () => '',
  headers: () => 'POST /webhooks/clerk HTTP/1.1\r\nhost: x\r\nx-slow: ',
  // Nothing but the end of the body says that its signature is wrong.
  body: () =>
    `POST /webhooks/clerk HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nsvix-id: msg_1\r\nsvix-timestamp: ${nowS()}\r\nsvix-signature: v1,x\r\ncontent-length: 1000000\r\n\r\n{`,
  // Reads nothing of what it has asked for.
  reader: () => 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(10),
}

/** Honest events, each on a connection of its own, while so many others do all they can to be slow. */
export async function besiege(site: EdgeSite, { connections, durationMs }: SiegeOptions): Promise<SiegeReport> {
  const report: SiegeReport = {
    ...{ besiegersMost: 0, openMost: 0, displaced: 0, timedOut: 0, honest: 0, violations: [] },
    ...{ medianHonestMs: 0, slowestHonestMs: 0, memoryMostMiB: 0 },
  }
  await using crowd = new Crowd(site.port)
  await crowd.gather(connections)
  const endsMs = performance.now() + durationMs
  const tookMs: number[] = []
  while (performance.now() < endsMs) {
    tookMs.push(await sendHonest(site, `msg_honest${tookMs.length}`, report.violations))
    if (tookMs.length % 20 === 0) await look(site, crowd, report)
    await pause(HONEST_EVERY_MS)
  }
  tookMs.sort((a, b) => a - b)
  report.honest = tookMs.length
  report.medianHonestMs = Math.round(tookMs[Math.floor(tookMs.length / 2)] ?? 0)
  report.slowestHonestMs = Math.round(tookMs.at(-1) ?? 0)
  await crowd[Symbol.asyncDispose]()
  await until(async () => (await site.metric('clerk_mirror_ingest_connections')) <= 1)
  report.displaced = await site.metric('clerk_mirror_ingest_connections_closed_total')
  report.timedOut = await site.metric('clerk_mirror_ingest_refused_total', 'code="request_timeout"')
  const stored = (await site.eventIds()).length
  if (stored !== report.honest) report.violations.push(`${report.honest} honest events, and ${stored} in Redis`)
  return report
}

async function look(site: EdgeSite, crowd: Crowd, report: SiegeReport): Promise<void> {
  report.besiegersMost = Math.max(report.besiegersMost, crowd.size)
  report.openMost = Math.max(report.openMost, await site.metric('clerk_mirror_ingest_connections'))
  const bytes = await site.metric('process_resident_memory_bytes')
  report.memoryMostMiB = Math.max(report.memoryMostMiB, Math.round(bytes / MEBIBYTE))
}

/** Connections that are slow in every way, and come back when they are closed. */
class Crowd implements AsyncDisposable {
  readonly #port: number
  readonly #sockets = new Map<Socket, Kind>()
  readonly #trickling: NodeJS.Timeout
  #round = 0
  #isOver = false

  constructor(port: number) {
    this.#port = port
    this.#trickling = setInterval(() => this.#trickle(), TRICKLE_MS)
  }

  get size(): number {
    return this.#sockets.size
  }

  async gather(connections: number): Promise<void> {
    for (let index = 0; index < connections; index += 1) {
      this.#open(KINDS[index % KINDS.length] ?? 'silent')
      if (index % OPENED_AT_ONCE === 0) await pause(10)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    clearInterval(this.#trickling)
    for (const socket of this.#sockets.keys()) socket.resetAndDestroy()
  }

  #open(kind: Kind): void {
    if (this.#isOver) return
    const socket = connect({ port: this.#port, host: '127.0.0.1' })
    if (kind === 'reader') socket.pause()
    else socket.resume()
    socket.once('connect', () => {
      this.#sockets.set(socket, kind)
      socket.write(BEGINNINGS[kind]())
    })
    socket.on('error', () => {}) // it is closed on purpose
    socket.once('close', () => {
      this.#sockets.delete(socket)
      setTimeout(() => this.#open(kind), BACK_AFTER_MS).unref()
    })
  }

  #trickle(): void {
    this.#round += 1
    let index = 0
    for (const [socket, kind] of this.#sockets) {
      index += 1
      const isSlow = kind === 'headers' || kind === 'body'
      if (isSlow && index % TRICKLE_GROUPS === this.#round % TRICKLE_GROUPS) socket.write('x')
    }
  }
}
