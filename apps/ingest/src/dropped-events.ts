import { kindOf } from '@clerk-mirror/events'
import { isInstanceId, type Log } from '@clerk-mirror/runtime'
import { DROP_WARNINGS_MAX } from './limits.js'

/** Why a verified event is acknowledged and not stored. */
export type DropReason = 'never_stored' | 'other_instance'

export const DROP_REASONS: readonly DropReason[] = ['never_stored', 'other_instance']

export type DroppedEvent = { reason: DropReason; eventId: string; type: string; instanceId: string | null }

/**
 * Warns of the first dropped event of each reason and value: nothing else says that a setting throws events away, for
 * Clerk sees each of them acknowledged. Bounded, since the values come with the events.
 */
export class DropWarnings {
  readonly #log: Log
  readonly #ownInstanceId: string | undefined
  readonly #warned = new Set<string>()

  constructor(log: Log, ownInstanceId: string | undefined) {
    this.#log = log
    this.#ownInstanceId = ownInstanceId
  }

  add({ reason, eventId, type, instanceId }: DroppedEvent): void {
    const isOther = reason === 'other_instance'
    // Only a value that has the form of an id is repeated: a log is no place for arbitrary text.
    const value = isOther ? shown(instanceId) : kindOf(type)
    const key = `${reason} ${value}`
    if (this.#warned.has(key) || this.#warned.size >= DROP_WARNINGS_MAX) return
    this.#warned.add(key)
    if (isOther) {
      const fields = { reason, eventId, instanceId: value, ownInstanceId: this.#ownInstanceId }
      this.#log.warn({ event: 'ingest.dropping', ...fields }, 'events of another instance: compare CLERK_INSTANCE_ID')
    } else {
      const fields = { reason, eventId, kind: value }
      this.#log.warn({ event: 'ingest.dropping', ...fields }, 'events of this kind are never stored')
    }
  }
}

const shown = (instanceId: string | null) =>
  instanceId !== null && isInstanceId(instanceId) ? instanceId : 'no instance id'
