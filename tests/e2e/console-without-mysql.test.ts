import { parseDatabaseUrl } from '@clerk-mirror/mirror'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clerkEvent, clerkUser } from '../support/clerk-events.js'
import { type ConsoleWorld, OPERATOR_TOKEN, openConsoleWorld } from '../support/console.js'

let world: ConsoleWorld
let cookie: string
let id: string

beforeAll(async () => {
  // No server listens on port 1.
  world = await openConsoleWorld({ database: parseDatabaseUrl('mysql://nobody:secret@127.0.0.1:1/nothing') })
  id = (await world.send(clerkEvent('user.created', { ...clerkUser('x', 1), id: 7 }))).id
  await world.settled()
  const body = new URLSearchParams({ token: OPERATOR_TOKEN })
  const signedIn = await fetch(`${world.consoleUrl}/sign-in`, { method: 'POST', body, redirect: 'manual' })
  cookie = String(signedIn.headers.get('set-cookie')).split(';')[0] ?? ''
})
afterAll(() => world[Symbol.asyncDispose]())

async function look(path: string) {
  const response = await fetch(`${world.consoleUrl}${path}`, { headers: { cookie } })
  return { status: response.status, page: await response.text() }
}

test('without MySQL the overview shows the queue and says what is missing', async () => {
  const { status, page } = await look('/')
  expect(status).toBe(200)
  expect(page).toContain('MySQL does not answer')
  expect(page).toContain('1 dead letter')
})

test('without MySQL dead letters are listed and shown, with a word about settled ones', async () => {
  const { status, page } = await look('/dead-letters')
  expect(status).toBe(200)
  expect(page).toContain(id)
  expect(page).toContain('MySQL was not asked')
  expect((await look(`/dead-letters/${id}`)).status).toBe(200)
})

test('what only MySQL knows is refused with a reason, and a payload is not shown when that cannot go on record', async () => {
  const audit = await look('/audit')
  expect(audit.status).toBe(503)
  expect(audit.page).toContain('MySQL does not answer')
  const form_key = /name="form_key" value="([^"]+)"/.exec((await look(`/dead-letters/${id}`)).page)?.[1] ?? ''
  const body = new URLSearchParams({ form_key })
  const shown = await fetch(`${world.consoleUrl}/dead-letters/${id}/payload`, {
    method: 'POST',
    body,
    headers: { cookie },
  })
  expect(shown.status).toBe(503)
  expect(await shown.text()).not.toContain('first_name')
})
