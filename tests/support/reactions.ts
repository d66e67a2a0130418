import { randomBytes } from 'node:crypto'
import { Secret } from '@clerk-mirror/runtime'
import type { ChangeWebhookConfig } from '../../apps/worker/src/reaction-runtime/webhook-settings.js'

/** The settings of this receiver for a worker. */
export const webhooksTo = (...urls: string[]): ChangeWebhookConfig => ({
  urls: new Secret(urls.map((url) => new URL(url))),
  secrets: new Secret([`whsec_${randomBytes(24).toString('base64')}`]),
  payload: 'public',
  allowsPrivate: true,
})

type Query = <Row>(sql: string, params?: unknown[]) => Promise<Row[]>

/** The members of a delivery that the reckoning compares. */
export type Told = { key: string; body: { type: string; data: { id: string; version: { eventId: string } } } }

/** The changes that a recorder of every change should have received, and those that it did. */
export type Reckoning = {
  /** Committed changes that were never delivered, as `change object of event`. */
  missing: string[]
  /** Told, and never committed, or committed as something else. */
  invented: string[]
  /** Told once more, under the same key. That may happen; it is for the receiver to see. */
  twice: number
  /** Committed changes. */
  changes: number
}

/**
 * Compares the changes that a recorder received with those in ledger and object rows. Independent of the outbox and of
 * the mirror's judgement: an event that the ledger calls applied is one change of its object; an object is created by
 * one event, before any update; a head that was alive and is a tombstone was deleted once.
 */
export async function reckonReactions(query: Query, received: readonly Told[]): Promise<Reckoning> {
  const applied = await query<{ event_id: string; type: string; object_id: string }>(
    "SELECT event_id, type, object_id FROM webhook_events WHERE outcome = 'applied' AND source <> 'backfill'",
  )
  const tombstones = await query<{ id: string }>('SELECT id FROM clerk_objects WHERE deleted_at IS NOT NULL')
  const isDelete = (type: string) => type.endsWith('.deleted')
  const expected = new Map<string, 'state' | 'deleted'>()
  for (const { event_id, type, object_id } of applied) {
    expected.set(`${object_id} of ${event_id}`, isDelete(type) ? 'deleted' : 'state')
  }
  const wasAlive = new Set(applied.filter(({ type }) => !isDelete(type)).map(({ object_id }) => object_id))
  const ownDelete = new Set(applied.filter(({ type }) => isDelete(type)).map(({ object_id }) => object_id))
  // It went with its user or organization, by an event of theirs, or with its own that came to name a deleted one.
  const cascaded = new Set(tombstones.map(({ id }) => id).filter((id) => wasAlive.has(id) && !ownDelete.has(id)))

  const told = new Map(received.map(({ key, body }) => [key, body]))
  const invented: string[] = []
  const seen = new Set<string>()
  const created = new Map<string, number>()
  for (const { type, data } of told.values()) {
    const place = `${data.id} of ${data.version.eventId}`
    const isDeleted = isDelete(type)
    const isKnown = expected.get(place) === (isDeleted ? 'deleted' : 'state')
    const isCascade = isDeleted && cascaded.has(data.id)
    if (type.endsWith('.created')) created.set(data.id, (created.get(data.id) ?? 0) + 1)
    if (seen.has(place) || !(isKnown || isCascade)) invented.push(`${type} ${place}`)
    seen.add(place)
    if (isCascade) cascaded.delete(data.id)
  }
  for (const [id, times] of created) if (times > 1) invented.push(`${times} times created ${id}`)
  const missing = [
    ...[...expected.keys()].filter((place) => !seen.has(place)),
    ...[...cascaded].map((id) => `${id} deleted with its user or organization`),
    ...[...wasAlive].filter((id) => !created.has(id)).map((id) => `${id} created`),
  ]
  return { missing, invented, twice: received.length - told.size, changes: expected.size }
}
