import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const HARDENING = fileURLToPath(new URL('../../docs/hardening.md', import.meta.url))

/** The blocks of code of one language in docs/hardening.md, which gives the rights of each process. */
export const documented = (language: string): string[] =>
  [...readFileSync(HARDENING, 'utf8').matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
    ([, block = '']) => block,
  )
