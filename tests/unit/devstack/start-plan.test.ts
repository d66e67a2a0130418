import { describe, expect, test } from 'vitest'
import { planStart, setting } from '../../../packages/devstack/src/start-plan.js'

const REDIS = { REDIS_URL: 'redis://queue.example:6379' }
const DATABASE = { DATABASE_URL: 'mysql://mirror:pw@db.example/mirror' }
const SECRET = { CLERK_WEBHOOK_SIGNING_SECRET: 'whsec_c2VjcmV0' }
const plainly = { once: false, sample: false }

describe('npm start brings up what is not configured', () => {
  test('with nothing set the stack is its own: it migrates, makes up a secret, and sends samples into empty tables', () => {
    const own = { isOwnStack: true, migrates: true, samples: 'into empty tables' }
    expect(planStart({}, plainly)).toEqual(own)
    expect(planStart({ REDIS_URL: '', DATABASE_URL: ' ' }, plainly)).toEqual(own)
  })

  test('a configured secret is used instead of one that is made up', () => {
    expect(planStart(SECRET, plainly)).toMatchObject({ isOwnStack: true, signingSecret: 'whsec_c2VjcmV0' })
  })

  test('with both services set it runs the processes and nothing else', () => {
    const plan = planStart({ ...REDIS, ...DATABASE, ...SECRET }, plainly)
    expect(plan).toMatchObject({ isOwnStack: false, migrates: false, samples: 'never' })
    expect([plan.redisUrl, plan.databaseUrl]).toEqual([REDIS.REDIS_URL, DATABASE.DATABASE_URL])
  })

  test.each([
    ['REDIS_URL', REDIS, { migrates: true }],
    ['DATABASE_URL', DATABASE, { migrates: false }],
  ])('with %s alone the other service is brought up, and still nothing is made up or sent', (_name, env, migrates) => {
    expect(planStart({ ...env, ...SECRET }, plainly)).toMatchObject({
      isOwnStack: false,
      samples: 'never',
      ...migrates,
    })
  })
})

test.each([
  ['REDIS_URL', REDIS],
  ['DATABASE_URL', DATABASE],
  ['REDIS_URL and DATABASE_URL', { ...REDIS, ...DATABASE }],
])('with %s and no secret it says that the secret must be set, and starts nothing', (names, env) => {
  expect(() => planStart(env, plainly)).toThrow(
    new RegExp(`^${names} (is|are) set, so CLERK_WEBHOOK_SIGNING_SECRET must be set`),
  )
})

test('samples are refused where they would go into services of others', () => {
  expect(() => planStart({ ...REDIS, ...SECRET }, { once: false, sample: true })).toThrow(/npm run simulate/)
  expect(planStart({}, { once: false, sample: true }).samples).toBe('always')
})

test('the throw-away run takes nothing from the environment, neither services nor secret', () => {
  const plan = planStart({ ...REDIS, ...DATABASE, ...SECRET }, { once: true, sample: false })
  expect(plan).toEqual({ isOwnStack: true, migrates: true, samples: 'always' })
})

test('a setting that is blank is not set', () => {
  expect([setting({ HOST: ' ' }, 'HOST'), setting({}, 'HOST'), setting({ HOST: ' a ' }, 'HOST')]).toEqual([
    undefined,
    undefined,
    'a',
  ])
})
