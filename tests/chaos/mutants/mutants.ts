/** A deliberate fault in the build, and the schedule that has to find it. */
export type Mutant = {
  name: string
  /** In the build, from the root of the repository. */
  file: string
  /** All places where it stands are changed; that there is none is an error. */
  find: string
  replace: string
  /** The faults that are aimed at it. */
  only: RegExp
  /** The check that must fail. */
  caughtBy: RegExp
  /** Share of events that become dead letters first. */
  cursedShare?: number
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: '202-before-redis-answered',
    file: 'packages/queue/dist/enqueue/enqueue.js',
    find: 'const how = await withTimeout(PROMPT_COMMAND_MS, store(envelope, trace));',
    replace: "store(envelope, trace).catch(() => {}); const how = 'added';",
    only: /kill Redis$|freeze Redis|ingest → Redis (?:cut|refused|half-open)/,
    caughtBy: /^I1/,
  },
  {
    // The script's one step, split into three.
    name: '202-without-a-job-when-a-revive-meets-a-discard',
    file: 'packages/queue/dist/enqueue/enqueue-batcher.js',
    find: 'return write(prefix, (client) => client.clerkEnqueue(keys.length, ...keys, options, STREAM_LENGTH, ...values));',
    replace: `return write(prefix, async (client) => {
      const queueKeys = (id) => [...SCRIPT_KEYS.map(key), key(id)];
      const accept = async ({ id, name, data, timestampMs }) => {
        const all = [...queueKeys(id), options, STREAM_LENGTH, id, name, data, timestampMs];
        return (await client.clerkEnqueue(queueKeys(id).length, ...all))[0];
      };
      const revive = async ({ id, data }) => {
        await client.hset(key(id), 'data', data);
        await client.clerkReplay(...queueKeys(id), id, STREAM_LENGTH);
        return 'revived';
      };
      const isDead = async ({ id }) => (await client.zscore(key('failed'), id)) !== null;
      return Promise.all(jobs.map(async (job) => ((await isDead(job)) ? revive(job) : accept(job))));
    });`,
    only: /ingest → Redis (?:cut|delayed)/,
    caughtBy: /^I1/,
    cursedShare: 0.2,
  },
  {
    name: 'attempts-spent-in-an-outage',
    file: 'packages/queue/dist/consume/dispatcher.js',
    find: "error.class === 'outage'",
    replace: 'error.class === null',
    only: /^(?:kill|read-only) MariaDB$/,
    caughtBy: /outage uses no attempts/,
  },
  {
    name: 'stall-limits-of-bullmq',
    file: 'packages/queue/dist/limits.js',
    find: 'export const STALLS_MAX = 1_000_000_000;',
    replace: 'export const STALLS_MAX = 1;',
    only: /kill all workers twice/,
    caughtBy: /no dead letter/,
  },
  {
    name: 'dead-letter-not-revived-when-it-comes-again',
    file: 'packages/queue/dist/lua/job-scripts.js',
    find: "elseif redis.call('ZREM', failed, jobId) == 1 then",
    replace: 'elseif false then',
    only: /worker → Redis cut/,
    caughtBy: /no dead letter/,
  },
  {
    name: 'no-drain-on-sigterm',
    file: 'packages/queue/dist/consume/consumer.js',
    find: '        dispatcher.close();',
    replace: '        return client.disconnect();',
    only: /stop all workers under load/,
    caughtBy: /promises are kept/,
  },
  {
    // Removed first, enqueued afterwards: a relay that dies in between loses them.
    name: 'reaction-forgotten-by-a-killed-relay',
    file: 'apps/worker/dist/reaction-runtime/relay.js',
    find: 'await producer.enqueue(partition',
    replace: `await mirror.removeFromOutbox(rows.map(({ rowId }) => rowId));
                await new Promise((go) => setTimeout(go, 400));
                await producer.enqueue(partition`,
    only: /^kill (?:a worker|all workers twice)$/,
    caughtBy: /every change was told/,
  },
  {
    // Each worker requests its own reactions alone, as if there were no register; one of them has none.
    name: 'reactions-of-this-worker-alone',
    file: 'apps/worker/dist/reaction-runtime/requested-reactions.js',
    find: 'wantedOnRegister(now.reactions)',
    replace: 'wantedOnRegister(new Map([...now.reactions].filter(([name]) => list.registered.has(name))))',
    only: /worker → Redis delayed/,
    caughtBy: /every change was told/,
  },
  {
    name: 'breaker-without-canary',
    file: 'packages/mirror/dist/apply/isolate.js',
    find: 'if (!isOfOneRow(failure))\n            await attempts.canary();',
    replace: "if (!isOfOneRow(failure)) throw new Failure('outage', failure.code, failure.message, failure);",
    only: /event that breaks its connection/,
    caughtBy: /promises are kept/,
  },
]
