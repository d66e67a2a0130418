// A process that owns a stack's services, for tests that kill it: services-process.mjs FOLDER
// Prints one JSON line: where they are, or the code of the error. SIGTERM stops it.
import { openServices } from '@clerk-mirror/devstack'

try {
  const services = await openServices({ dataDir: process.argv[2], say: () => undefined })
  const { redis, database } = services
  process.once('SIGTERM', () => services[Symbol.asyncDispose]())
  const servers = [redis.control.pid, database.control.pid]
  console.log(JSON.stringify({ redisUrl: redis.url, adminUrl: database.adminUrl, servers }))
} catch (error) {
  console.log(JSON.stringify({ code: error.code }))
}
