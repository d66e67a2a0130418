import { expect, test } from 'vitest'
import { read } from './tree.js'

/** The scripts that each process runs, and those alone: rare branches of them, too, need the account's rights. */
const SCRIPTS_OF = {
  worker: [
    'lua/lease-scripts',
    'lua/batch-scripts',
    'lua/gauge-scripts',
    'redis/process-lease',
    'heartbeats/worker-heartbeat',
    'consume/stuck-watchdog',
  ],
  ingest: ['lua/gauge-scripts', 'redis/process-lease'],
}

const ACCOUNTS = read('docs/hardening.md')

test.each(Object.entries(SCRIPTS_OF))('the account of the %s may run each command of its scripts', (user, files) => {
  const [rules = ''] = new RegExp(`^user ${user} .*$`, 'm').exec(ACCOUNTS) ?? []
  const granted = new Set([...rules.matchAll(/\+(\S+)/g)].map(([, command]) => command))
  const used = files.flatMap((file) =>
    [...read(`packages/queue/src/${file}.ts`).matchAll(/redis\.call\('(\w+)'/g)].map(([, command = '']) =>
      command.toLowerCase(),
    ),
  )
  expect(used.length).toBeGreaterThan(0)
  expect([...new Set(used)].filter((command) => !granted.has(command))).toEqual([])
})
