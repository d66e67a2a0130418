import type { Delivery } from '@clerk-mirror/devstack'
import { type CpuTimes, countCpu, type Processes } from './cpu.js'

/** One round: events per second, and the CPU time of each process in microseconds per event. */
export type Score = { perS: number; cpuUs: CpuTimes }

/** A participant: the subject or a reference. Runs on empty tables and an empty queue. */
export type Contestant = (deliveries: readonly Delivery[]) => Promise<Score>

/** Connections of the generator, and events in flight of a producer. */
export const IN_FLIGHT = 64

/** `work` returns how long it took, in ms. */
export async function scored(
  deliveries: readonly Delivery[],
  processes: Processes,
  work: () => Promise<number>,
): Promise<Score> {
  const used = countCpu(processes)
  const tookMs = await work()
  const events = deliveries.length
  const cpuUs = Object.fromEntries(Object.entries(used()).map(([name, us]) => [name, us / events]))
  return { perS: (events / tookMs) * 1_000, cpuUs }
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const beganAtMs = performance.now()
  await work()
  return performance.now() - beganAtMs
}
