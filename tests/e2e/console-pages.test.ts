import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { type ConsoleWorld, OPERATOR_TOKEN, openConsoleWorld, VIEWER_TOKEN } from '../support/console.js'
import { CHROMIUM, openBrowser } from '../support/profiles/browser.js'
import { PATIENCE_MS } from '../support/until.js'

if (!CHROMIUM) console.warn('SKIPPED: the console in Chromium; there is none here (CHROMIUM_PATH names one)')

let world: ConsoleWorld
let browser: Browser
let context: BrowserContext
let page: Page
let complaints: string[]

/** Signed, and dead at once: the id is a number. */
const malformed = () => clerkEvent('user.created', { ...clerkUser('x', 1, { first_name: 'Adelheid' }), id: 7 })

async function signIn(token = OPERATOR_TOKEN): Promise<void> {
  await page.goto(`${world.consoleUrl}/sign-in`)
  await page.getByLabel('Your token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Console' }).waitFor()
}

const open = (name: string) => page.getByRole('link', { name, exact: true }).first().click()
const press = (name: string | RegExp) => page.getByRole('button', { name }).first().click()
const seen = (text: string | RegExp) => page.getByText(text).first().waitFor()

const inChromium = test.skipIf(!CHROMIUM)

beforeAll(async () => {
  if (!CHROMIUM) return
  world = await openConsoleWorld()
  browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  await world?.[Symbol.asyncDispose]()
})
beforeEach(async () => {
  if (!CHROMIUM) return
  complaints = []
  context = await browser.newContext()
  page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  // A script that fails, or one that the policy stops.
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Uncaught/.test(message.text()))
      complaints.push(message.text())
  })
})
afterEach(async () => {
  await context?.close()
  expect(complaints ?? []).toEqual([])
})

inChromium('a wrong token is refused in words, and the right one leads to where one wanted to go', async () => {
  await page.goto(`${world.consoleUrl}/workers`)
  await page.getByLabel('Your token').fill('a-token-that-nobody-has')
  await press('Sign in')
  await seen('No account has this token.')
  await page.getByLabel('Your token').fill(OPERATOR_TOKEN)
  await press('Sign in')
  await page.getByRole('heading', { name: 'Workers' }).waitFor()
  expect(page.url()).toBe(`${world.consoleUrl}/workers`)
  expect(await context.cookies()).toMatchObject([{ httpOnly: true, sameSite: 'Strict' }])
})

inChromium('every page can be reached from the navigation, and says something when there is nothing', async () => {
  await signIn()
  await seen('All is well')
  await open('Dead letters')
  await seen('No dead letters')
  await open('Workers')
  await seen('1 worker')
  await open('Audit')
  await seen('Nothing yet')
  await page.goto(`${world.consoleUrl}/trace?id=msg_nobody`)
  await seen('Unknown id')
  await page.goto(`${world.consoleUrl}/nowhere`)
  await seen('There is nothing here')
})

inChromium('the overview moves by itself, and the causes lead to the letters', async () => {
  await signIn()
  await seen('All is well')
  const { id } = await world.send(malformed())
  await world.settled()
  await seen('1 dead letter')
  await open('poison/malformed')
  await seen(id)
  await page.getByRole('link', { name: id }).first().click()
  await seen('Where it failed')
})

inChromium('a payload hides personal data until it is asked for, and asking is on record', async () => {
  const { id } = await world.send(malformed())
  await world.settled()
  await signIn(VIEWER_TOKEN)
  await page.goto(`${world.consoleUrl}/dead-letters/${id}`)
  await seen('"first_name": "•••"')
  expect(await page.content()).not.toContain('Adelheid')
  await press(/Show all of it/)
  await seen('Adelheid')
  await open('Audit')
  const row = page.getByRole('row').filter({ hasText: id })
  await row.getByText('bob').waitFor()
})

inChromium('a viewer is offered nothing that changes anything', async () => {
  await world.send(malformed())
  await world.settled()
  await signIn(VIEWER_TOKEN)
  await open('Dead letters')
  await seen('1 cause')
  expect(await page.getByRole('button', { name: /Replay|Discard/ }).count()).toBe(0)
  expect(await page.getByRole('checkbox').count()).toBe(0)
})

inChromium('letters of one mended cause are found, replayed and applied; the others stay', async () => {
  await world.send(malformed())
  await world.database.query("ALTER TABLE users ADD CONSTRAINT mended_later CHECK (username <> 'odd')")
  const people = Array.from({ length: 12 }, () => clerkId('user'))
  for (const id of people) await world.send(clerkEvent('user.created', clerkUser(id, 1, { username: 'odd' })))
  await world.settled()
  await world.database.query('ALTER TABLE users DROP CONSTRAINT mended_later')
  await signIn()
  await open('Dead letters')
  const cause = page.getByRole('article').filter({ hasText: 'poison/mysql' })
  await cause.getByText('12', { exact: true }).waitFor()
  await cause.getByRole('button', { name: 'Replay 12 dead letters …' }).click()
  await seen('Replay 12 dead letters?')
  await press('Replay 12 dead letters')
  await seen('12 dead letters replayed')
  await world.settled()
  const rows = await world.database.query("SELECT id FROM users WHERE username = 'odd'")
  expect(rows).toHaveLength(people.length)
  await open('Dead letters')
  await seen('1 cause')
  await open('Audit')
  await page.getByRole('row').filter({ hasText: 'replay' }).filter({ hasText: 'ada' }).first().waitFor()
})

inChromium('selected letters are discarded after the page has said how many; cancelling keeps them', async () => {
  const [one, other] = [await world.send(malformed()), await world.send(malformed())]
  await world.settled()
  await signIn()
  await open('Dead letters')
  await page.getByLabel(`Select ${one.id}`).check()
  await seen('1 selected')
  await press('Discard selected …')
  await seen('Discard 1 dead letter?')
  await open('Cancel')
  expect(await world.deadLetters.find(one.id)).not.toBeNull()
  await page.getByLabel(`Select ${one.id}`).check()
  await press('Discard selected …')
  await press('Discard 1 dead letter for good')
  await seen('1 dead letter discarded')
  expect(await world.deadLetters.find(one.id)).toBeNull()
  expect(await world.deadLetters.find(other.id)).not.toBeNull()
})

inChromium('an event is found by its id from the keyboard', async () => {
  const ada = clerkId('user')
  const { id } = await world.send(clerkEvent('user.created', clerkUser(ada, 1000)))
  await world.settled()
  await signIn()
  await page.keyboard.press('/')
  await page.keyboard.type(id)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: id }).waitFor()
  await seen('applied')
  await page.goto(`${world.consoleUrl}/trace?id=${ada}`)
  await seen(id)
})

inChromium('bull-board shows the queue, and of its jobs neither names nor addresses', async () => {
  const { id } = await world.send(malformed())
  await world.settled()
  await signIn()
  const paths = [
    'queues?activeQueue=clerk-events&status=failed',
    `queues/clerk-events/${id}`,
    `queues/clerk-events/${id}/flow`,
    `queues/clerk-events/${id}/logs`,
  ]
  for (const path of paths) {
    const response = await page.request.get(`${world.consoleUrl}/queue/api/${path}`)
    expect(await response.text()).not.toContain('Adelheid')
  }
  expect(await (await page.request.get(`${world.consoleUrl}/queue/api/${paths[1]}`)).text()).toContain('•••')
  await page.goto(`${world.consoleUrl}/queue/`)
  await seen('clerk-events')
  // Its page would like a font from elsewhere, and goes without.
  complaints = complaints.filter((complaint) => !complaint.includes('fonts.googleapis.com'))
})

inChromium('when Redis goes away an open page says so, keeps what it had, and comes back by itself', async () => {
  await signIn()
  await seen('Decided per minute')
  world.wayToRedis.cut()
  const trouble = page.getByRole('alert').filter({ hasText: 'Redis does not answer' })
  await trouble.waitFor()
  await seen('Decided per minute')
  world.wayToRedis.mend()
  await trouble.waitFor({ state: 'hidden' })
  await seen('Decided per minute')
})

inChromium('a page that is asked for while Redis is away says what is wrong, and comes by itself', async () => {
  await signIn()
  world.wayToRedis.cut()
  await page.goto(`${world.consoleUrl}/workers`)
  await page.getByRole('heading', { name: 'Redis does not answer' }).waitFor()
  expect((await fetch(`${world.consoleUrl}/readyz`)).status).toBe(503)
  world.wayToRedis.mend()
  await page.getByRole('heading', { name: 'Workers' }).waitFor()
})
