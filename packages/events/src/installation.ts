/**
 * The mark that ties a queue and a database together. `epoch` counts how often the queue lost its data; in the database
 * it is 0 until the queue has been marked for the first time.
 */
export type InstallationStamp = { id: string; epoch: number }

/** The codes of a refusal, as docs/errors.md explains them. */
export type InstallationCode = 'installation_mismatch' | 'database_unstamped'

export type InstallationRefusal = { code: InstallationCode; message: string }

/** The relation between the marks of a queue and a database. */
export type InstallationMatch =
  | { kind: 'match'; stamp: InstallationStamp }
  /** Neither is marked, or only the database is and the queue never was: a new installation. */
  | { kind: 'new'; stamp: InstallationStamp | null }
  /** The queue has lost its data, or went back to older ones; the stamp is that of the database. */
  | { kind: 'queue-lost'; stamp: InstallationStamp }
  /** The queue's epoch is ahead, as after an interrupted write or when an older database was restored. */
  | { kind: 'database-behind'; stamp: InstallationStamp }
  /** They belong to different installations; or the database is new, and it is unknown which of the two is wrong. */
  | { kind: 'conflict'; refusal: InstallationRefusal }

export function matchInstallations(
  database: InstallationStamp | null,
  queue: InstallationStamp | null,
): InstallationMatch {
  if (queue === null) {
    const isNew = database === null || database.epoch === 0
    return isNew ? { kind: 'new', stamp: database } : { kind: 'queue-lost', stamp: database }
  }
  if (database?.id !== queue.id) return { kind: 'conflict', refusal: refusalOf(database, queue) }
  if (queue.epoch < database.epoch) return { kind: 'queue-lost', stamp: database }
  return { kind: queue.epoch > database.epoch ? 'database-behind' : 'match', stamp: queue }
}

const WHAT_TO_DO =
  'correct REDIS_URL, QUEUE_NAMESPACE or DATABASE_URL, or run "installation restamp" if this database is to take over ' +
  'this Redis'

function refusalOf(database: InstallationStamp | null, queue: InstallationStamp): InstallationRefusal {
  if (database === null) {
    const message = `Redis belongs to installation ${queue.id}, and the database to none yet: ${WHAT_TO_DO}`
    return { code: 'database_unstamped', message }
  }
  const message = `the database belongs to installation ${database.id}, and Redis to installation ${queue.id}: ${WHAT_TO_DO}`
  return { code: 'installation_mismatch', message }
}
