import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clerkEvent, clerkId, clerkUser } from '../support/clerk-events.js'
import { CHROMIUM, openBrowser } from '../support/profiles/browser.js'
import {
  bearer,
  FRONTEND_API,
  openSite,
  PUBLISHABLE_KEY,
  type Site,
  sessionToken,
} from '../support/profiles/profiles.js'
import { PATIENCE_MS } from '../support/until.js'
import { openWorld, type World } from '../support/world.js'

let world: World
let site: Site
beforeAll(async () => {
  world = await openWorld()
  site = await openSite(world.database.options, { publishableKey: PUBLISHABLE_KEY })
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

const person = { first_name: 'Ada', last_name: 'Lovelace', username: 'ada', email: 'ada@example.org' }
const home = { type: 999, label: 'My engine', url: 'https://example.org/engine' }

async function clerkSays(type: string, data: object): Promise<void> {
  await world.send(clerkEvent(type, data))
  await world.settled()
}
const deleted = (id: string) => ({ id, object: 'user', deleted: true })

test('somebody signs up, writes a tagline and a link, renames in Clerk, and leaves: their page follows', async () => {
  const ada = clerkId('user')
  await clerkSays('user.created', clerkUser(ada, 1000, person))
  expect((await site.get('/@ada')).text).toContain('Ada Lovelace')

  await site.save(ada, { tagline: 'Poetical science', blocks: [home] })
  expect((await site.get('/@ada')).text).toMatch(/Poetical science.*https:\/\/example\.org\/engine.*My engine/s)

  await clerkSays('user.updated', clerkUser(ada, 2000, { ...person, last_name: 'King', username: 'countess' }))
  expect((await site.get('/@ada')).status).toBe(404)
  expect((await site.get('/@countess')).text).toMatch(/Ada King.*Poetical science.*My engine/s)

  await clerkSays('user.deleted', deleted(ada))
  expect((await site.get('/@countess')).status).toBe(404)
  expect((await site.get('/')).text).toContain('No profiles yet')
  expect((await site.get('/me', bearer(ada))).status).toBe(410)
  expect(await world.database.query('SELECT * FROM blocks')).toEqual([])
})

if (CHROMIUM === undefined) {
  process.stderr.write('no Chromium: the tests of pages are skipped (CHROMIUM_PATH names one)\n')
}
const inBrowser = test.skipIf(CHROMIUM === undefined)

let browser: Browser | undefined
beforeAll(async () => {
  if (CHROMIUM !== undefined) browser = await openBrowser()
})
afterAll(() => browser?.close())

const PICTURE =
  '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="teal"/></svg>'

/** A new window, with all that the page complained of. */
async function open(options: Parameters<Browser['newContext']>[0] = {}) {
  if (browser === undefined) throw new Error('there is no browser')
  const context = await browser.newContext(options)
  // Nothing is asked of the world outside.
  await context.route(/^https:/, (route) => route.abort())
  await context.route('https://img.clerk.com/**', (route) =>
    route.fulfill({ contentType: 'image/svg+xml', body: PICTURE }),
  )
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
}

inBrowser('the story once more, with the editor and Clerk’s component in its place', async () => {
  const ada = clerkId('user')
  await clerkSays('user.created', clerkUser(ada, 1000, person))
  await using window = await open()
  const { page, complaints } = window
  await standInForClerk(page, ada)

  await page.goto(`${site.url}/edit`)
  await page.getByRole('button', { name: 'Stand-in: sign in' }).click()
  await page.getByLabel('Tagline').fill('Poetical science')
  await page.getByRole('button', { name: 'Add a link' }).click()
  await page.getByLabel('Label').fill('My engine')
  await page.getByLabel('Address').fill('http://example.org/engine')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('The address must be a URL that begins with https://').waitFor()
  await page.getByLabel('Address').fill('https://example.org/engine')
  await page.getByRole('button', { name: 'Add a link' }).click()
  await page.getByLabel('Kind').last().selectOption('Twitter')
  await page.getByLabel('Address').last().fill('https://x.com/ada')
  await page.getByRole('button', { name: 'Up' }).last().click()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Saved.').waitFor()

  await page.getByRole('link', { name: 'Your page: @ada' }).click()
  await page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor()
  await page.getByText('Poetical science').waitFor()
  expect(await page.locator('.links a').allInnerTexts()).toEqual(['Twitter', 'My engine'])

  await clerkSays('user.updated', clerkUser(ada, 2000, { ...person, last_name: 'King' }))
  await page.reload()
  await page.getByRole('heading', { name: 'Ada King' }).waitFor()
  await page.getByRole('link', { name: 'Profiles' }).click()
  await page.getByRole('link', { name: 'Ada King' }).click()

  await clerkSays('user.deleted', deleted(ada))
  await page.reload()
  await page.getByRole('heading', { name: 'No profile has this name' }).waitFor()
  // The browser's own words for the refused edit and for the page that is gone.
  expect(complaints.filter((text) => !/status of 40[04]/.test(text))).toEqual([])
})

inBrowser(
  'what others have written runs nowhere and breaks nothing, and a picture that fails leaves initials',
  async () => {
    const mallory = clerkId('user')
    const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    const names = { first_name: evil, last_name: null, username: `m${evil}` }
    const image = { image_url: 'https://img.example/fails.png' }
    await clerkSays('user.created', { ...clerkUser(mallory, 1000, names), ...image })
    await site.save(mallory, { tagline: evil, blocks: [{ ...home, label: evil }] })
    await using window = await open({ viewport: { width: 320, height: 640 } })
    const { page, complaints } = window
    for (const path of ['/', `/@${encodeURIComponent(names.username)}`]) {
      await page.goto(`${site.url}${path}`)
      await page.getByText(evil).first().waitFor()
      expect(await page.evaluate('document.scripts.length + document.querySelectorAll("[onerror]").length')).toBe(0)
      const sideways = await page.evaluate('document.documentElement.scrollWidth > innerWidth')
      expect({ path, sideways }).toEqual({ path, sideways: false })
      const cover = 'getComputedStyle(document.querySelector(".avatar img"), "::after").content'
      expect(await page.evaluate(cover)).toBe(JSON.stringify('"S'))
    }
    expect(complaints.filter((text) => !text.includes('ERR_FAILED'))).toEqual([])
    await clerkSays('user.deleted', deleted(mallory))
  },
)

inBrowser.each(['light', 'dark'] as const)(
  'every text stands out from its ground, and every control has a name (%s)',
  async (colorScheme) => {
    const ada = clerkId('user')
    await clerkSays('user.created', clerkUser(ada, 1000, person))
    await site.save(ada, { tagline: 'Poetical science', blocks: [home] })
    await using window = await open({ colorScheme })
    const { page } = window
    await standInForClerk(page, ada)
    for (const path of ['/', '/@ada', '/@nobody', '/edit']) {
      await page.goto(`${site.url}${path}`)
      if (path === '/edit') await page.getByRole('button', { name: 'Stand-in: sign in' }).click()
      if (path === '/edit') await page.getByLabel('Address').waitFor()
      expect({ path, faint: await page.evaluate(FAINT_TEXTS) }).toEqual({ path, faint: [] })
      expect({ path, nameless: await page.evaluate(NAMELESS) }).toEqual({ path, nameless: [] })
      for (const landmark of ['banner', 'main', 'contentinfo', 'navigation'] as const) {
        expect(await page.getByRole(landmark).first().isVisible()).toBe(true)
      }
      await page.keyboard.press('Tab')
      if (path !== '/edit')
        expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content')
    }
    await clerkSays('user.deleted', deleted(ada))
  },
)

/** Clerk's scripts cannot run here: a stand-in with the same few methods, which signs in this user. */
async function standInForClerk(page: Page, userId: string): Promise<void> {
  const clerk = `window.Clerk = {
    async load() {},
    addListener(listener) { this.listener = listener },
    mountSignIn(element) {
      const button = document.createElement('button')
      button.textContent = 'Stand-in: sign in'
      button.onclick = () => { sessionStorage.signedIn = 'yes'; this.listener() }
      element.append(button)
    },
    mountUserButton() {},
    get session() { return sessionStorage.signedIn && { getToken: async () => ${JSON.stringify(sessionToken(userId))} } },
  }`
  await page.route(`https://${FRONTEND_API}/**`, (route) =>
    route.fulfill({
      contentType: 'text/javascript',
      headers: { 'access-control-allow-origin': '*' },
      body: route.request().url().includes('clerk-js@6') ? clerk : '',
    }),
  )
}

/** Texts with a contrast below 4.5 to 1 to the nearest background, except large decoration. */
const FAINT_TEXTS = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number)
  const light = ([red, green, blue]) =>
    [red, green, blue].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0)
  const groundOf = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const ground = channels(getComputedStyle(each).backgroundColor)
      if (ground[3] !== 0) return ground
    }
    return [255, 255, 255]
  }
  const isFaint = (element) => {
    const [text, ground] = [channels(getComputedStyle(element).color), groundOf(element)].map(light)
    return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05) < 4.5
  }
  const says = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')
  return [...document.body.querySelectorAll('*')]
    .filter((element) => says(element) && element.checkVisibility() && !element.closest('.status') && isFaint(element))
    .map((element) => element.outerHTML)
})()`

/** Controls that a screen reader could not name. */
const NAMELESS = `[...document.querySelectorAll('a, button, input, select')]
  .filter((element) => element.checkVisibility() && !(element.textContent.trim() || element.labels?.length))
  .map((element) => element.outerHTML)`
