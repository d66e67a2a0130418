import { createInterface } from 'node:readline/promises'
import { printable } from '@clerk-mirror/runtime'
import { WrongUsage } from './command.js'

/** Asks on the terminal, and takes nothing but yes for yes. @throws WrongUsage without a terminal */
export async function isConfirmed(question: string): Promise<boolean> {
  demandTerminal()
  using terminal = asDisposable(createInterface({ input: process.stdin, output: process.stderr }))
  const answer = await terminal.question(printable(`${question} [y/N] `))
  return /^y(es)?$/i.test(answer.trim())
}

/** @throws WrongUsage */
export function demandTerminal(): void {
  if (!process.stdin.isTTY) throw new WrongUsage('there is no terminal to ask on: say --yes')
}

const asDisposable = <T extends { close: () => void }>(owned: T) =>
  Object.assign(owned, { [Symbol.dispose]: () => owned.close() })
