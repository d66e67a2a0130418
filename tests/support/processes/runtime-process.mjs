// A process that lives by `runProcess` and misbehaves as its argument says: {behaviour, environment, deadlineMs,
// shutdownDelayMs}, as JSON. JavaScript, because Node starts it without a loader; it uses the built packages as the
// apps do.
import { openMetrics, port, Releasers, readConfig, runProcess, serveHealth } from '@clerk-mirror/runtime'

const { behaviour, environment, deadlineMs, shutdownDelayMs } = JSON.parse(process.argv[2])

const never = () => new Promise(() => {})
const payload = { email: 'ada@example.com' }
const failing = (message) => Object.assign(new Error(message), { code: 'E_TEST', payload })

const BEHAVIOURS = {
  healthy: async () => {},
  'fails-to-start': async () => {
    throw failing('no schema')
  },
  'waits-to-start': async ({ log, signal }) => {
    log.info({ event: 'test.waiting' })
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  },
  'hangs-in-start': async ({ log }) => {
    log.info({ event: 'test.waiting' })
    await never()
  },
  'hangs-in-release': async (_, owned) => {
    owned.defer(never)
  },
  'fails-in-release': async (_, owned) => {
    owned.defer(() => Promise.reject(failing('drain failed')))
  },
  rejects: async () => {
    setTimeout(() => Promise.reject(failing('nobody caught this')))
  },
  throws: async () => {
    setTimeout(() => {
      throw failing('nobody caught this')
    })
  },
  'throws-when-told-to-stop': async ({ signal }) => {
    signal.addEventListener('abort', () => {
      setTimeout(() => {
        throw failing('nobody caught this')
      })
    })
  },
  'gives-up': async ({ fail }) => {
    setTimeout(() => fail({ code: 'test_wedged', message: 'nothing moves' }))
  },
  talks: async ({ log }) => {
    setInterval(() => {
      for (let line = 0; line < 20; line += 1) log.info({ event: 'test.talking', filler: 'x'.repeat(100) })
    }, 1)
  },
  'fails-while-it-talks': async ({ log }) => {
    setTimeout(() => {
      for (let line = 0; line < 2_000; line += 1) log.info({ event: 'test.talking', filler: 'x'.repeat(100) })
      throw failing('nobody caught this')
    })
  },
  'throws-a-payload': async () => {
    setTimeout(() => Promise.reject(payload))
  },
}

async function start({ port: wanted }, { log, signal, fail }) {
  // The effect of `await using`: Node 20 does not know it, and nothing compiles this file.
  const owned = new Releasers()
  try {
    owned.defer(() => log.info({ event: 'test.released', what: 'first acquired' }))
    const address = { host: '127.0.0.1', port: wanted, settingName: 'WORKER_PORT' }
    const about = { readiness: async () => ({}), metrics: openMetrics('test'), log, stopping: signal }
    owned.use(await serveHealth({ ...address, ...about }))
    owned.defer(() => log.info({ event: 'test.released', what: 'last acquired' }))
    await BEHAVIOURS[behaviour]({ log, signal, fail }, owned)
    return owned.move()
  } finally {
    await owned[Symbol.asyncDispose]()
  }
}

await runProcess(
  'test',
  () => ({
    ...readConfig(environment, (read) => ({ port: read.required('WORKER_PORT', port) })),
    ...{ logLevel: 'info', shutdownDelayMs },
  }),
  start,
  { shutdownDeadlineMs: deadlineMs },
)
