import {
  openPartitionDesk,
  type PartitionDesk,
  parseNamespace,
  parseRedisUrl,
  type Retirement,
} from '@clerk-mirror/queue/operate'
import { readConfig, secret } from '@clerk-mirror/runtime'
import { type Call, type Command, type ExitCode, WrongUsage } from './command.js'
import { asOperationsError, noteClearText } from './operations.js'
import { table } from './table.js'

export const listPartitions: Command = {
  usage: '[--json]',
  summary: 'List the partitions of the queue, with their events and their ingest processes.',
  examples: ['partitions list', 'partitions list --json'],
  options: {},
  run(call) {
    if (call.positionals.length > 0) throw new WrongUsage('it lists all partitions, and takes no name of one')
    return atDesk(call, async (desk) => {
      const { partitions, doors } = await desk.list()
      if (call.values['json']) {
        call.out(JSON.stringify({ partitions, doors }))
        return 0
      }
      const rows = partitions.map(({ prefix, events, doors: writers }, index) => [
        ...[String(index), prefix, String(events), String(writers)],
      ])
      call.out(...table(['partition', 'prefix', 'events', 'written by'], rows))
      const writers = doors.map((door) => [
        ...[door.host, String(door.pid), new Date(door.startedAtMs).toISOString(), String(door.partitions)],
      ])
      if (writers.length > 0) call.out('', ...table(['ingest', 'pid', 'since', 'partitions'], writers))
      return 0
    })
  },
}

export const retirePartition: Command = {
  usage: 'NUMBER [--json]',
  summary: 'Take the last partition out of service, once it is empty and no ingest process uses it any more.',
  examples: ['partitions retire 3', 'partitions retire 3 --json'],
  options: {},
  run(call) {
    const [number, ...more] = call.positionals
    if (number === undefined || !/^\d{1,4}$/.test(number) || more.length > 0) {
      throw new WrongUsage('name one partition by its number')
    }
    return atDesk(call, async (desk) => {
      const retirement = await desk.retire(Number(number))
      if (call.values['json']) call.out(JSON.stringify(retirement))
      else (retirement.kind === 'retired' ? call.out : call.note)(inWords(Number(number), retirement))
      return retirement.kind === 'retired' ? 0 : 1
    })
  },
}

function inWords(index: number, retirement: Retirement): string {
  const refused = `Partition ${index} was not retired:`
  switch (retirement.kind) {
    case 'retired':
      return `Partition ${index} is retired. Nothing was in it.`
    case 'unknown':
      return `There is no partition ${index}.`
    case 'first':
      return `${refused} the first one keeps the keys of all partitions, and stays.`
    case 'not-last':
      return `${refused} the last one goes first, and that is ${retirement.count - 1}.`
    case 'in-use':
      return `${refused} ${retirement.doors.map(({ host, pid }) => `${host} (pid ${pid})`).join(', ') || 'a process'} still puts events there. Give ingest a lower QUEUE_PARTITIONS, restart it, and try again ten seconds later.`
    case 'not-empty':
      return `${refused} it holds ${retirement.events} ${retirement.events === 1 ? 'event' : 'events'}. Workers empty it; dead letters must be replayed or discarded.`
  }
}

async function atDesk(call: Call, work: (desk: PartitionDesk) => Promise<ExitCode>): Promise<ExitCode> {
  const { redis, namespace } = readConfig(call.env, (read) => ({
    redis: read.required('REDIS_URL', secret(parseRedisUrl)),
    namespace: read.optional('QUEUE_NAMESPACE', parseNamespace),
  }))
  noteClearText(call, { redis: redis.reveal() })
  try {
    using desk = await openPartitionDesk(redis.reveal(), namespace)
    return await work(desk)
  } catch (error) {
    throw asOperationsError(error)
  }
}
