import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

const QUIET = ['gpu', 'background-networking', 'component-update', 'sync'].map((what) => `--disable-${what}`)

/** The path of Chromium: CHROMIUM_PATH, else found on the machine; undefined where there is none. */
export const CHROMIUM = process.env['CHROMIUM_PATH'] ?? PLACES.find(existsSync)

/** Headless, with a new profile that goes with it. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM ?? '', args: ['--no-sandbox', '--no-first-run', ...QUIET] })
