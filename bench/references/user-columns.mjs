/** The members of a user that the usual handler and the usual worker read: about the columns of the mirror's table. */
export function columnsOf(user) {
  const primary = user.email_addresses.find(({ id }) => id === user.primary_email_address_id)
  const time = (value) => (typeof value === 'number' ? new Date(value) : null)
  const text = (value, width) => value?.toWellFormed().slice(0, width) ?? null
  return {
    username: text(user.username, 120),
    firstName: text(user.first_name, 119),
    lastName: text(user.last_name, 119),
    email: text(primary?.email_address, 320),
    imgUrl: text(user.image_url, 500),
    externalId: text(user.external_id, 250),
    banned: user.banned,
    locked: user.locked,
    twoFactorEnabled: user.two_factor_enabled,
    publicMetadata: JSON.stringify(user.public_metadata).toWellFormed(),
    createdAt: time(user.created_at),
    updatedAt: time(user.updated_at),
    lastSignInAt: time(user.last_sign_in_at),
  }
}

/** Upserts or deletes the user that an event is about. */
export async function writeUser(prisma, { type, data }) {
  if (type === 'user.deleted') return prisma.user.deleteMany({ where: { clerkId: data.id } })
  const columns = columnsOf(data)
  const upsert = { where: { clerkId: data.id }, create: { clerkId: data.id, ...columns }, update: columns }
  return prisma.user.upsert(upsert)
}

/** A user that was created by another at the same moment, and a deadlock: both are Prisma's usual, and pass. */
const PASSING = ['P2002', 'P2034']
const TRIES = 5

export async function again(work) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (!PASSING.includes(error.code) || attempt === TRIES) throw error
    }
  }
}

/** Prisma's own 2 and 5 s are over soon on a busy machine; ms. */
export const PATIENT = { maxWait: 30_000, timeout: 30_000 }
