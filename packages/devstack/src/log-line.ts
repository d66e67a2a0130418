/** The part of a process' line that is shown on the terminal. */
export interface Notable {
  text: string
  /** Equal for lines that say the same of different events. */
  topic: string
}

/** Undefined for lines that belong only in the log file. */
export function notable(line: string): Notable | undefined {
  const entry = parsedEntry(line)
  // Not one of our log lines: a list of configuration faults, or a message of Node itself.
  if (entry === undefined) return /^\s*(at |$)/.test(line) ? undefined : { text: line, topic: line }
  const { level, event = '', msg } = entry
  if (level !== 'warn' && level !== 'error' && level !== 'fatal') return undefined
  const topic = `${level}  ${event}`
  const text = msg ?? entry.err?.message ?? entry.cause
  return { topic, text: text === undefined ? topic : `${topic}  ${text}` }
}

interface Entry {
  level?: string
  event?: string
  msg?: string
  cause?: string
  err?: { message?: string }
}

function parsedEntry(line: string): Entry | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
