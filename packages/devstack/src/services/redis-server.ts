import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { ANSWER_WITHIN_MS } from './limits.js'
import { findProgram } from './programs.js'
import { ServerProcess } from './server-process.js'
import { chooseHome, giveTo, makeServerFolder, takeAlong } from './server-user.js'
import type { StackSite } from './site.js'

/**
 * Names of the program, best first. Debian's redis-tools has the server too: one binary that acts by the name of its
 * call.
 */
const PROGRAMS = ['redis-server', 'valkey-server', 'redis-check-rdb', 'valkey-check-rdb'] as const

export const findRedisServer = () => findProgram(...PROGRAMS)

/** Starts a private Redis on its port of 127.0.0.1. Throws StackError `server_not_started`. */
export function startRedis(program: string, { folder, ports, password, say }: StackSite): Promise<ServerProcess> {
  const port = ports.redis
  const home = chooseHome(folder, ['redis', 'valkey'], say)
  const data = join(home.folder, 'redis')
  takeAlong(join(folder, 'redis'), data)
  makeServerFolder(home, data)
  // In a file, because the arguments of a process are there for everybody to read.
  const config = join(home.folder, 'redis.conf')
  writeFileSync(config, redisConfig({ data, port, password }), { mode: 0o600 })
  giveTo(home.user, config)
  return ServerProcess.start({
    title: 'Redis',
    program,
    argv0: 'redis-server',
    user: home.user,
    args: [config],
    logPath: join(folder, 'redis.log'),
    recordPath: redisRecord(folder),
    isReady: () => redisAnswers({ port, password }),
    say,
  })
}

export const redisRecord = (folder: string) => join(folder, 'redis.process.json')

/** The settings under which a job that was acknowledged is on disk, and never evicted. */
function redisConfig({ data, port, password }: { data: string; port: number; password: string }): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    'protected-mode yes',
    `requirepass ${password}`,
    `dir ${JSON.stringify(data)}`,
    'appendonly yes',
    'appendfsync always',
    'save ""',
    'maxmemory-policy noeviction',
    // Some half a million events: they must not use up the memory of a machine in use.
    'maxmemory 2gb',
    // hash-max-listpack-value by its older name, which Redis 6 knows as well
    'hash-max-ziplist-value 8192',
    'daemonize no',
    '',
  ].join('\n')
}

/** Whether a Redis on this port of 127.0.0.1 takes the password and answers PING; false also while it still loads. */
export function redisAnswers({ port, password }: { port: number; password: string }): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect({ port, host: '127.0.0.1' })
    const settle = (answers: boolean) => {
      socket.destroy()
      resolve(answers)
    }
    socket.setEncoding('utf8')
    socket.setTimeout(ANSWER_WITHIN_MS, () => settle(false))
    socket.once('error', () => settle(false))
    socket.once('close', () => settle(false))
    socket.once('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`))
    socket.on('data', (text: string) => {
      answer += text
      if (answer.includes('-')) settle(false)
      if (answer.endsWith('+PONG\r\n')) settle(true)
    })
  })
}
