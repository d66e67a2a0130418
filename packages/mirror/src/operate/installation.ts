import type { InstallationStamp } from '@clerk-mirror/events'
import { classify } from '../database/failures.js'
import type { PrismaClient } from '../generated/client.js'

/** The database's mark of its installation. All of it throws Failure. */
export type DatabaseInstallation = {
  read: () => Promise<InstallationStamp | null>
  /** Marks a database that has no mark; returns the resulting mark, which another process may have written. */
  stamp: (stamp: InstallationStamp) => Promise<InstallationStamp>
  /** Raises the epoch of this id; an epoch that is ahead stays. */
  raiseEpoch: (stamp: InstallationStamp) => Promise<void>
  /** Overwrites any existing mark. */
  restamp: (stamp: InstallationStamp) => Promise<void>
}

/** The table has one row. */
const ROW = 1

const INSERT =
  'INSERT INTO installation (id, installation_id, epoch, stamped_at) VALUES (?,?,?,?) ON DUPLICATE KEY UPDATE'

export function databaseInstallation(prisma: PrismaClient, clock: () => number): DatabaseInstallation {
  const execute = (sql: string, ...values: unknown[]) => prisma.$executeRawUnsafe(sql, ...values).catch(fail)
  const read = async () => {
    const sql = `SELECT installation_id, epoch FROM installation WHERE id=${ROW}`
    const [row] = await prisma.$queryRawUnsafe<{ installation_id: string; epoch: number }[]>(sql).catch(fail)
    return row ? { id: row.installation_id, epoch: Number(row.epoch) } : null
  }
  return {
    read,
    async stamp(stamp) {
      await execute(`${INSERT} id=id`, ROW, stamp.id, stamp.epoch, new Date(clock()))
      return (await read()) ?? stamp
    },
    async raiseEpoch({ id, epoch }) {
      const sql = 'UPDATE installation SET epoch=?, stamped_at=? WHERE id=? AND installation_id=? AND epoch<?'
      await execute(sql, epoch, new Date(clock()), ROW, id, epoch)
    },
    async restamp({ id, epoch }) {
      const updates = 'installation_id=VALUES(installation_id), epoch=VALUES(epoch), stamped_at=VALUES(stamped_at)'
      await execute(`${INSERT} ${updates}`, ROW, id, epoch, new Date(clock()))
    },
  }
}

function fail(error: unknown): never {
  throw classify(error)
}
