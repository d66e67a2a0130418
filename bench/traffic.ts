import { createHmac } from 'node:crypto'
import { type Delivery, history } from '@clerk-mirror/devstack'

/** Events per person in the sample traffic, a little less than there are on average. */
const EVENTS_PER_PERSON = 3.4

/** The first so many webhooks of an application's year: sign-ups, changes and deletes of 0.3 to 3 KB, each once. */
export function ordinaryTraffic(count: number, seed: number): Delivery[] {
  const { deliveries } = history({ seed, users: Math.ceil(count / EVENTS_PER_PERSON) + 10 })
  if (deliveries.length < count) throw new Error(`${deliveries.length} events were made instead of ${count}`)
  return deliveries.slice(0, count)
}

/** Never the same twice, so that no round finds the events of another. */
let lastSeed = Date.now()
export const freshSeed = (): number => {
  lastSeed += 1
  return lastSeed
}

const USER = ordinaryTraffic(200, 7).find(({ type }) => type === 'user.updated')

/**
 * An update of this user, cheap to make: one body, with other ids and times. `version` orders the updates of a user.
 */
export function updateOf(userId: string, eventId: string, version: number): Delivery {
  if (!USER) throw new Error('the sample traffic holds an update')
  const { data, ...event } = JSON.parse(USER.body)
  const user = { ...data, id: userId, username: `u${version}`, updated_at: EPOCH_MS + version }
  return {
    eventId,
    type: USER.type,
    objectId: userId,
    body: JSON.stringify({ ...event, timestamp: user.updated_at, data: user }),
  }
}

/** A new membership of a user in an organization. */
export function membershipOf(userId: string, organizationId: string, eventId: string): Delivery {
  const times = { created_at: EPOCH_MS, updated_at: EPOCH_MS }
  const objectId = `orgmem_${eventId.slice('msg_'.length)}`
  const picture = { image_url: `https://img.clerk.com/${'i'.repeat(60)}`, has_image: true }
  const organization = {
    object: 'organization',
    id: organizationId,
    name: 'Some Organization',
    slug: 'some',
    ...picture,
  }
  const person = { user_id: userId, first_name: 'Some', last_name: 'Body', identifier: 'some@example.org', ...picture }
  const data = {
    ...{ object: 'organization_membership', id: objectId, role: 'org:member', public_metadata: {}, ...times },
    ...{ organization: { ...organization, public_metadata: {}, ...times }, public_user_data: person },
  }
  const type = 'organizationMembership.created'
  return { eventId, type, objectId, body: JSON.stringify({ data, object: 'event', timestamp: EPOCH_MS, type }) }
}

const EPOCH_MS = Date.UTC(2026, 0, 1)

/** The same event with so much more metadata that its body has so many bytes. */
export function padded(delivery: Delivery, bytes: number): Delivery {
  const event = JSON.parse(delivery.body)
  const pad = (length: number) => {
    event.data.public_metadata = { padding: 'x'.repeat(length) }
    return JSON.stringify(event)
  }
  const missing = bytes - Buffer.byteLength(pad(0))
  if (missing < 0) throw new Error(`the event has more than ${bytes} bytes already`)
  return { ...delivery, body: pad(missing) }
}

/** The generator's bytes: whole HTTP requests, signed now, one behind the other. */
export type Requests = { bytes: Buffer; ends: number[]; deliveries: readonly Delivery[] }

export function signedRequests(deliveries: readonly Delivery[], secret: string): Requests {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const seconds = Math.floor(Date.now() / 1000)
  const ends: number[] = []
  const parts: Buffer[] = []
  let end = 0
  for (const { eventId, body } of deliveries) {
    const signature = createHmac('sha256', key).update(`${eventId}.${seconds}.${body}`).digest('base64')
    const head = [
      'POST /webhooks/clerk HTTP/1.1',
      'host: 127.0.0.1',
      'content-type: application/json',
      'user-agent: Svix-Webhooks/1.70',
      `content-length: ${Buffer.byteLength(body)}`,
      `svix-id: ${eventId}`,
      `svix-timestamp: ${seconds}`,
      `svix-signature: v1,${signature}`,
    ]
    const part = Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
    parts.push(part)
    end += part.length
    ends.push(end)
  }
  return { bytes: Buffer.concat(parts), ends, deliveries }
}
