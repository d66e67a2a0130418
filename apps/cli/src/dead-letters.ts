import {
  type DeadLetterCause,
  type DeadLetterFilter,
  type DeadLetterOperations,
  deadLetterJson,
} from '@clerk-mirror/operations'
import type { DeadLetter, DeadLetterDetails } from '@clerk-mirror/queue/operate'
import { actor } from './actor.js'
import { type Call, type Command, type ExitCode, WrongUsage } from './command.js'
import { deadLettersOf, FILTER_OPTIONS, FILTER_USAGE, filterOf, QUEUE_OPTION, queueOf } from './dead-letter-options.js'
import { noteMissingLedger, withOperations } from './operations.js'
import { table } from './table.js'

/** Dead letters that people are shown below the causes; programs are given all. */
const SHOWN = 20

export const listDeadLetters: Command = {
  usage: `${FILTER_USAGE} [--json]`,
  summary: 'List events that were given up: first by cause with its remedy, then the oldest ones.',
  examples: ['dead-letters list', 'dead-letters list --class poison --since 2h', 'dead-letters list --queue reactions'],
  options: FILTER_OPTIONS,
  run(call) {
    const filter = filterOf(call.values, Date.now())
    if (call.positionals.length > 0) throw new WrongUsage('it takes no name: --id ID filters, `show ID` shows one')
    return withOperations<ExitCode>(call, async (operations) => {
      if (call.values['json']) await printArray(call, deadLettersOf(call.values, operations).each(filter))
      else await printForPeople(call, deadLettersOf(call.values, operations), filter)
      noteMissingLedger(call, operations)
      return 0
    })
  },
}

/** A dead letter a line, as they are read: all of them need not fit into memory. */
async function printArray({ out }: Call, deadLetters: AsyncIterable<DeadLetter>): Promise<void> {
  let line: string | null = null
  out('[')
  for await (const deadLetter of deadLetters) {
    if (line !== null) out(`${line},`)
    line = JSON.stringify(deadLetterJson(deadLetter))
  }
  if (line !== null) out(line)
  out(']')
}

async function printForPeople(
  { out }: Call,
  deadLetters: DeadLetterOperations,
  filter: DeadLetterFilter,
): Promise<void> {
  const { total, causes } = await deadLetters.causes(filter)
  if (total === 0) return out('No dead letters.')
  out(
    `${total} ${total === 1 ? 'dead letter' : 'dead letters'}, ${causes.length} ${causes.length === 1 ? 'cause' : 'causes'}`,
    '',
  )
  for (const cause of causes) out(...inWords(cause))
  const { items } = await deadLetters.page(filter, { limit: SHOWN })
  out(...asTable(items))
  if (total > items.length) out(`… and ${total - items.length} more: --json lists them all, filters show fewer.`)
}

const inWords = (cause: DeadLetterCause): string[] => [
  `${String(cause.count).padStart(6)}  ${cause.class}/${cause.code}  --fingerprint ${cause.fingerprint}`,
  `        ${cause.message}`,
  `        first ${iso(cause.firstFailedAtMs)}, last ${iso(cause.lastFailedAtMs)}, for example ${cause.sampleId}`,
  `        ${cause.advice}`,
  '',
]

const iso = (timeMs: number) => new Date(timeMs).toISOString()

function asTable(deadLetters: readonly DeadLetter[]): string[] {
  const rows = deadLetters.map(({ id, type, objectId, reason, attempts, failedAtMs }) => [
    ...[id, type, objectId ?? '–', reason.fingerprint],
    ...[String(attempts), iso(failedAtMs), `${reason.class}/${reason.code}`],
  ])
  return table(['id', 'type', 'object', 'cause', 'tries', 'failed at', ''], rows)
}

export const showDeadLetter: Command = {
  usage: 'ID [--queue reactions] [--payload] [--json]',
  summary: 'Show one dead letter: its reason, and the place in the code.',
  examples: ['dead-letters show msg_2bYZ0example', 'dead-letters show msg_2bYZ0example --payload'],
  options: {
    ...QUEUE_OPTION,
    payload: {
      type: 'boolean',
      doc: "print the event's body too: it holds personal data, and this access is recorded",
    },
  },
  run(call) {
    const [id, ...more] = call.positionals
    if (id === undefined || more.length > 0) throw new WrongUsage('name one dead letter')
    queueOf(call.values)
    return withOperations<ExitCode>(call, async (operations) => {
      const deadLetter = await deadLettersOf(call.values, operations).show(id)
      if (!deadLetter) {
        call.note(`There is no dead letter ${id}.`)
        return 1
      }
      const { envelope, stack } = deadLetter
      // First on record, then on the screen.
      if (call.values['payload'] && typeof envelope?.body === 'string') {
        await deadLettersOf(call.values, operations).recordLook(deadLetter.id, actor())
      }
      const payload = call.values['payload'] ? payloadOf(deadLetter) : {}
      const origin = { source: envelope?.source ?? null, instanceId: envelope?.instanceId ?? null }
      const details = { ...deadLetterJson(deadLetter), ...origin, stack, ...payload }
      if (call.values['json']) call.out(JSON.stringify(details))
      else for (const [name, value] of Object.entries(details)) call.out(...facts(name, value))
      return 0
    })
  },
}

/** A stack has lines of its own: behind the first they are set in, so that none can pass for a fact. */
function facts(name: string, value: string | number | null): string[] {
  const [first = '', ...others] =
    name === 'stack' && typeof value === 'string' ? value.split('\n') : [`${value ?? '–'}`]
  return [`${name.padEnd(12)} ${first}`, ...others.map((line) => `${' '.repeat(13)}${line}`)]
}

/** `encryptedWith` names the key of a body that cannot be shown here. */
function payloadOf(deadLetter: DeadLetterDetails | null): { body: string | null; encryptedWith?: string } {
  const { body = null } = deadLetter?.envelope ?? {}
  return typeof body === 'object' && body !== null ? { body: null, encryptedWith: body.keyId } : { body }
}

export const exportDeadLetters: Command = {
  usage: `${FILTER_USAGE} [--payload]`,
  summary: 'Print dead letters as JSON lines, for storage or analysis. They stay in the queue.',
  examples: ['dead-letters export > letters.jsonl', 'dead-letters export --fingerprint 5b2c… --payload'],
  options: {
    ...FILTER_OPTIONS,
    payload: {
      type: 'boolean',
      doc: 'with the body of each event: it holds personal data, and the export is recorded',
    },
  },
  run(call) {
    const filter = filterOf(call.values, Date.now())
    if (call.positionals.length > 0) throw new WrongUsage('it writes to standard output, and takes no name')
    return withOperations<ExitCode>(call, async (operations) => {
      const deadLetters = deadLettersOf(call.values, operations)
      const recordShown = call.values['payload'] ? await deadLetters.recordLooks(filter, actor()) : async () => {}
      let shown = 0
      for await (const deadLetter of deadLetters.each(filter)) {
        const { source, instanceId } = deadLetter
        const line = { ...deadLetterJson(deadLetter), source, instanceId }
        // One at a time: a page of the largest bodies would be half a gigabyte.
        const payload = call.values['payload'] && payloadOf(await deadLetters.show(deadLetter.id))
        call.out(JSON.stringify({ ...line, ...payload }))
        shown += 1
      }
      await recordShown(shown)
      noteMissingLedger(call, operations)
      return 0
    })
  },
}
