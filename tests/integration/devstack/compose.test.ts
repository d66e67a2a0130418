import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { removeServices } from '@clerk-mirror/devstack'
import { Releasers } from '@clerk-mirror/runtime'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findRedisServer, redisAnswers } from '../../../packages/devstack/src/services/redis-server.js'
import { fromCompose } from '../../../packages/devstack/src/services/service-sources.js'
import { makePrivateFolder, prepareSite, servicesFolder } from '../../../packages/devstack/src/services/site.js'
import { until } from '../../support/until.js'

// Stands in for a container engine: its "container" is a real Redis on the port to be published.
const DOCKER = `#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/calls"
for word; do case $last in --env-file) . "$word" ;; esac; last=$word; done
case "$*" in
*" up "*) "$here/redis-server" --port "$REDIS_HOST_PORT" --requirepass "$STACK_PASSWORD" --save '' --dir "$here" --pidfile "$here/pid" --daemonize yes ;;
*" stop" | *" down "*) [ -f "$here/pid" ] && kill "$(cat "$here/pid")" ;;
esac
exit 0
`

let root: string
let said: string[]
const say = (line: string) => said.push(line)

beforeEach(async () => {
  said = []
  root = mkdtempSync(join(tmpdir(), 'clerk-mirror-compose-'))
  mkdirSync(join(root, 'bin'))
  symlinkSync((await findRedisServer()) ?? '', join(root, 'bin', 'redis-server'))
  writeFileSync(join(root, 'bin', 'docker'), DOCKER)
  chmodSync(join(root, 'bin', 'docker'), 0o755)
  vi.stubEnv('PATH', [join(root, 'bin'), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter))
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true, force: true })
})

const calls = () => readFileSync(join(root, 'bin', 'calls'), 'utf8')

test('a container engine gives the services that are missing, and they are stopped and removed with the stack', async () => {
  const dataDir = join(root, 'data')
  const folder = servicesFolder(dataDir)
  makePrivateFolder(folder)
  const site = await prepareSite(folder, say)
  const owned = new Releasers()

  const found = await fromCompose({ site, tuning: 'durable', access: 'administrator', owned }, ['redis'])
  expect(found).toEqual({ redis: { url: `redis://:${site.password}@127.0.0.1:${site.ports.redis}`, from: 'compose' } })
  expect(calls()).toMatch(/ --project-name clerk-mirror-dev-[0-9a-f]{8} .* up --detach --wait redis$/m)
  expect(statSync(join(folder, 'compose.env')).mode & 0o077).toBe(0)

  await owned[Symbol.asyncDispose]()
  await until(async () => !(await redisAnswers({ port: site.ports.redis, password: site.password })))
  await removeServices(dataDir, say)
  expect(calls()).toMatch(/ down --volumes$/m)
  expect(said).toEqual(['starting redis with Docker Compose (the first time it downloads their images)'])
})

test('a container that does not answer on its port is no service', async () => {
  const folder = servicesFolder(join(root, 'data'))
  makePrivateFolder(folder)
  await using owned = new Releasers()
  const site = await prepareSite(folder, say)
  expect(await fromCompose({ site, tuning: 'fast-throwaway', access: 'administrator', owned }, ['database'])).toEqual(
    {},
  )
  expect(said.at(-1)).toMatch(/does not answer on port/)
})
