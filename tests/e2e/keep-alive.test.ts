import { expect, test } from 'vitest'
import { KeptConnection } from '../support/http/keep-alive-connection.js'
import { type App, Program } from '../support/processes/processes.js'
import { until } from '../support/until.js'

const NOWHERE = { REDIS_URL: 'redis://127.0.0.1:1', DATABASE_URL: 'mysql://app:secret@127.0.0.1:1/mirror' }
const PORTS = { INGEST_PORT: '0', PROFILES_PORT: '0', CONSOLE_PORT: '0', METRICS_PORT: '0' }
const SECRETS = {
  CLERK_WEBHOOK_SIGNING_SECRET: `whsec_${Buffer.from('twenty-four bytes of it!').toString('base64')}`,
  CONSOLE_TOKEN: 'ada:operator:kUcBV8DtLw2uFz9nQ3eXr7mJ5sYpA1hG',
}

const portOf = async (app: App, program: Program) => Number((await program.says(`${app}.listening`))['port'])

test.each<App>(['ingest', 'profiles', 'console'])(
  '%s keeps an idle connection for as long as KEEP_ALIVE_TIMEOUT_S says, and tells the client',
  async (app) => {
    const env = { ...NOWHERE, ...PORTS, ...SECRETS }
    await using brief = new Program(app, { env: { ...env, KEEP_ALIVE_TIMEOUT_S: '1' } })
    await using long = new Program(app, { env: { ...env, KEEP_ALIVE_TIMEOUT_S: '3600' } })
    using briefly = await KeptConnection.open(await portOf(app, brief))
    using kept = await KeptConnection.open(await portOf(app, long))
    expect((await kept.get('/livez')).headers['keep-alive']).toBe('timeout=3600')
    const startedMs = performance.now()
    expect((await briefly.get('/livez')).headers['keep-alive']).toBe('timeout=1')
    await until(() => briefly.isClosed)
    expect(performance.now() - startedMs).toBeGreaterThan(900)
    expect((await kept.get('/livez')).status).toBe(200)
  },
)
