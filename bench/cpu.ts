import { readFileSync } from 'node:fs'

/** Linux counts the time of a process in hundredths of a second. */
const TICK_US = 10_000

/** CPU time of a process so far in microseconds, all its threads together; null where the system does not tell. */
export function cpuUs(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program is in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_US
  } catch {
    return null
  }
}

/** Memory of a process that is in RAM, in bytes; null where the system does not tell. */
export function residentBytes(pid: number): number | null {
  try {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kib === undefined ? null : Number(kib) * 1024
  } catch {
    return null
  }
}

/** Process ids by the names of the processes in the results. */
export type Processes = Readonly<Record<string, number>>

/** CPU time in microseconds, by process. */
export type CpuTimes = Readonly<Record<string, number>>

/** Starts to count; returns a function that tells how much each process has used since. */
export function countCpu(processes: Processes): () => CpuTimes {
  const before = new Map(Object.entries(processes).map(([name, pid]) => [name, cpuUs(pid)]))
  return () =>
    Object.fromEntries(
      Object.entries(processes).flatMap(([name, pid]) => {
        const [from, to] = [before.get(name) ?? null, cpuUs(pid)]
        return from === null || to === null ? [] : [[name, to - from]]
      }),
    )
}
