import { vi } from 'vitest'

/** The output of this process, kept instead of written: `out` for standard output, `note` for standard error. */
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
