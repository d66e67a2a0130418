import { vi } from 'vitest'

/** What this process writes, instead of writing it: `out` to standard output, `note` to standard error. */
export class Written {
  out = ''
  note = ''

  /** From now on, until `vi.restoreAllMocks()`. */
  keep(): void {
    this.clear()
    const keep = (stream: 'out' | 'note') => (text: string | Uint8Array) => {
      this[stream] += String(text)
      return true
    }
    vi.spyOn(process.stdout, 'write').mockImplementation(keep('out'))
    vi.spyOn(process.stderr, 'write').mockImplementation(keep('note'))
  }

  clear(): void {
    this.out = ''
    this.note = ''
  }
}
