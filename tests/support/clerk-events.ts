import { randomBytes } from 'node:crypto'

/** Clerk's ids: a prefix and 27 characters. */
export const clerkId = (prefix: string) => `${prefix}_${randomBytes(20).toString('hex').slice(0, 27)}`

type Person = { first_name?: string | null; last_name?: string | null; username?: string | null; email?: string | null }

/** A User as Clerk sends it, with the fields that matter and some that do not. */
export function clerkUser(id: string, updatedAt: number, { email, ...names }: Person = {}) {
  const address = email && {
    id: `idn_${id}`,
    email_address: email,
    linked_to: [],
    object: 'email_address',
    reserved: false,
  }
  return {
    id,
    object: 'user',
    first_name: null,
    last_name: null,
    username: null,
    ...names,
    email_addresses: address ? [{ id: 'idn_other', email_address: 'other@example.org' }, address] : [],
    primary_email_address_id: address ? address.id : null,
    image_url: 'https://img.clerk.com/abc',
    banned: false,
    locked: false,
    public_metadata: {},
    private_metadata: null,
    unsafe_metadata: {},
    created_at: 1_750_000_000_000,
    updated_at: updatedAt,
    last_sign_in_at: null,
  }
}

/** The envelope around it. */
export const clerkEvent = (type: string, data: object, timestamp: number | undefined = Date.now()) => ({
  data,
  object: 'event',
  type,
  timestamp,
  instance_id: 'ins_test',
  event_attributes: { http_request: { client_ip: '', user_agent: 'clerk/clerk-sdk-go@v3.0.0' } },
})
