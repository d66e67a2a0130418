import type { TextRow } from '../support/invariants.js'

type Data = { readonly [field: string]: unknown }

/**
 * The typed row of a living object, every value as the text that the database shows; null for a kind without a table.
 */
export function expectedRow(
  kind: string,
  data: Data,
  about: { userId: string | null; organizationId: string | null },
): { table: string; columns: TextRow } | null {
  const names = { user_clerk_id: about.userId, organization_clerk_id: about.organizationId }
  const times = { created_at: time(data['created_at']), updated_at: time(data['updated_at']) }
  const metadata = { public_metadata: JSON.stringify(data['public_metadata']) }
  if (kind === 'user') return { table: 'users', columns: { ...userColumns(data), ...metadata, ...times } }
  if (kind === 'organization') {
    const own = { name: text(data['name']), slug: text(data['slug']), img_url: text(data['image_url']) }
    const limit = { max_allowed_memberships: text(data['max_allowed_memberships']) }
    return { table: 'organizations', columns: { ...own, ...limit, ...metadata, ...times } }
  }
  if (kind === 'organizationMembership') {
    return { table: 'organization_memberships', columns: { ...names, role: text(data['role']), ...metadata, ...times } }
  }
  if (kind === 'organizationInvitation') {
    const own = { email: text(data['email_address']), role: text(data['role']), status: text(data['status']) }
    const columns = { ...names, ...own, expires_at: time(data['expires_at']), ...times }
    return { table: 'organization_invitations', columns }
  }
  if (kind === 'organizationDomain') {
    const verified = data['verification'] === null ? '0' : '1'
    const own = { name: text(data['name']), enrollment_mode: text(data['enrollment_mode']), verified }
    return {
      table: 'organization_domains',
      columns: { organization_clerk_id: about.organizationId, ...own, ...times },
    }
  }
  return null
}

function userColumns(user: Data): TextRow {
  const names = [user['first_name'], user['last_name']].filter((name) => name !== null)
  const addresses = user['email_addresses'] as { id: string; email_address: string }[]
  return {
    username: text(user['username']),
    first_name: text(user['first_name']),
    last_name: text(user['last_name']),
    display_name: names.join(' '),
    email: addresses.find(({ id }) => id === user['primary_email_address_id'])?.email_address ?? null,
    img_url: text(user['image_url']),
    external_id: text(user['external_id']),
    banned: user['banned'] === true ? '1' : '0',
    locked: user['locked'] === true ? '1' : '0',
    two_factor_enabled: user['two_factor_enabled'] === true ? '1' : '0',
    last_sign_in_at: time(user['last_sign_in_at']),
  }
}

const text = (value: unknown) => (value === null || value === undefined ? null : String(value))
const time = (ms: unknown) => (typeof ms === 'number' ? new Date(ms).toISOString().replace('Z', '000') : null)
