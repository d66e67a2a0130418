import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { RedisQueueBackend } from 'bullmq'
import { expect, test } from 'vitest'
import { BatchedBackend } from '../../../packages/queue/src/consume/batched-backend.js'

/*
 * BatchedBackend overrides methods of a class that BullMQ may change in any release. TypeScript lets an override ignore a
 * new parameter, and so a worker would ignore it too: this test fails instead. After a release changed one of these
 * declarations, read how its scripts and its worker use it, mend the override, and write the new declaration here.
 */
const OVERRIDDEN = {
  moveToCompleted:
    'moveToCompleted<T = any, R = any, N extends string = string>(job: MinimalJob<T, R, N>, returnValue: R, ' +
    'removeOnComplete: boolean | number | KeepJobs, token: string, fetchNext: boolean): ' +
    'Promise<{ result: void | any[]; finishedOn: number; }>',
  moveToFailed:
    'moveToFailed<T = any, R = any, N extends string = string>(job: MinimalJob<T, R, N>, failedReason: string, ' +
    'removeOnFail: boolean | number | KeepJobs, token: string, fetchNext: boolean, ' +
    'fieldsToUpdate?: Record<string, any>): Promise<{ result: void | any[]; finishedOn: number; }>',
  moveToActive: 'moveToActive(token: string, name?: string): Promise<any[]>',
  moveStalledJobsToWait: 'moveStalledJobsToWait(): Promise<string[]>',
  extendLocks: 'extendLocks(jobIds: string[], tokens: string[], duration: number): Promise<string[]>',
}
const CALLED = {
  constructor:
    'constructor(connection: RedisConnection, name: string, keys: KeysMap, toKey: (type: string) => string, ' +
    'opts: QueueBaseOptions, blockingConnection?: RedisConnection, ownsConnection?: boolean)',
  finishedErrors:
    'finishedErrors({ code, jobId, parentKey, command, state, }: { code: number; jobId?: string; ' +
    'parentKey?: string; command: string; state?: string; }): Error',
  moveJobFromActiveToWait: 'moveJobFromActiveToWait(jobId: string, token?: string): Promise<any>',
  raw2NextJobData: 'raw2NextJobData(raw: any[]): any[]',
}

const bullmq = dirname(createRequire(import.meta.url).resolve('bullmq/package.json'))
const declarations = readFileSync(join(bullmq, 'dist/esm/classes/redis-queue-backend.d.ts'), 'utf8')

/** The declaration of a member, or of an exported function, in one line. */
function declarationOf(name: string): string {
  const [, declaration = ''] =
    new RegExp(`^(?: {4}|export declare function )(${name}[<(][^]*?);\\n(?: {4}[^ }]|\\}|export|$)`, 'm').exec(
      declarations,
    ) ?? []
  return declaration.replaceAll(/\s+/g, ' ')
}

test.each(Object.entries({ ...OVERRIDDEN, ...CALLED }))(
  'BullMQ declares %s as BatchedBackend expects',
  (name, expected) => {
    expect(declarationOf(name)).toBe(expected)
  },
)

test('BatchedBackend overrides these methods of RedisQueueBackend, and no others', () => {
  const overridden = Object.getOwnPropertyNames(BatchedBackend.prototype).filter(
    (name) => name !== 'constructor' && name in RedisQueueBackend.prototype,
  )
  expect(overridden.sort()).toEqual(Object.keys(OVERRIDDEN).sort())
})
