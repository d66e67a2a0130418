import { type EnvelopeKeys, parseEnvelopeKeys } from '@clerk-mirror/queue/enqueue'
import { expect, test } from 'vitest'
import { clerkEvent, clerkId } from '../support/clerk-events.js'
import { type ConsoleWorld, OPERATOR_TOKEN, openConsoleWorld } from '../support/console.js'
import { madeUpKey } from '../support/queue/encryption-keys.js'
import { until } from '../support/until.js'

const MARKER = 'xQz7marker'
const KEYS = parseEnvelopeKeys(madeUpKey('k1'))

/** A world with one encrypted dead letter, and a console with these keys. */
async function openEncrypted(consoleKeys: EnvelopeKeys): Promise<ConsoleWorld & { id: string }> {
  const world = await openConsoleWorld({ keys: KEYS, consoleKeys })
  const { id } = await world.send(clerkEvent('user.created', { id: 7, email: clerkId('user'), first_name: MARKER }))
  await world.settled()
  return Object.assign(world, { id })
}

async function pagesOf({ consoleUrl, id }: ConsoleWorld & { id: string }) {
  const body = new URLSearchParams({ token: OPERATOR_TOKEN })
  const signIn = await fetch(`${consoleUrl}/sign-in`, { method: 'POST', body, redirect: 'manual' })
  const headers = { cookie: String(signIn.headers.get('set-cookie')).split(';')[0] ?? '' }
  const text = async (path: string) => (await fetch(`${consoleUrl}${path}`, { headers })).text()
  return {
    deadLetter: await text(`/dead-letters/${id}`),
    board: await text('/queue/api/queues?activeQueue=clerk-events&status=failed'),
  }
}

test('a console without the key says which one it is, shows all else, and replays', async () => {
  await using world = await openEncrypted(new Map())
  const { deadLetter, board } = await pagesOf(world)
  expect(deadLetter).toMatch(/Encrypted with the key <code>k1<\/code>/)
  expect(deadLetter).toContain('poison/malformed')
  expect(deadLetter).not.toContain('Show all of it')
  expect(JSON.stringify(JSON.parse(board))).toContain('"encryptedWith":"k1"')
  const headers = { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' }
  const request = { method: 'POST', headers, body: JSON.stringify({ filter: { ids: [world.id] } }) }
  const replay = await fetch(`${world.consoleUrl}/api/dead-letters/replay`, request)
  expect(await replay.json()).toMatchObject({ replayed: 1 })
  // The worker has the key: it gives the event up for its content.
  await until(async () => (await world.deadLetters.find(world.id))?.reason.code === 'malformed')
})

test('a console with the key shows the payload, redacted until it is asked for', async () => {
  await using world = await openEncrypted(KEYS)
  const { deadLetter, board } = await pagesOf(world)
  expect(deadLetter).toContain('first_name')
  expect(deadLetter).toContain('Show all of it')
  expect(board).toContain('first_name')
  for (const page of [deadLetter, board, ...world.consoleLogged, ...world.logged]) expect(page).not.toContain(MARKER)
})
