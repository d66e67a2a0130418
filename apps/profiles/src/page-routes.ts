import type { Html } from '@clerk-mirror/pages'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Assets } from './assets.js'
import type { PublishableKey } from './clerk-keys.js'
import { Refusal } from './errors.js'
import { editPage } from './pages/edit-page.js'
import { listPage } from './pages/list-page.js'
import { profilePage } from './pages/profile-page.js'
import { findProfile, type ProfilesFor, readPage } from './read.js'
import { editPagePolicy } from './security-headers.js'

export type PageOptions = { profilesFor: ProfilesFor; assets: Assets; publishableKey: PublishableKey | undefined }

/** A browser keeps an asset as long as it likes: another content has another path. */
const FOR_EVER = 'public, max-age=31536000, immutable'

const hidden = { hide: true }
const page = { config: { isPage: true, isPublic: true }, schema: hidden }

/** The pages for people. */
export function pageRoutes(server: FastifyInstance, options: PageOptions & { canVerify: boolean }): void {
  const { profilesFor, assets, publishableKey, canVerify } = options
  const schema = { ...hidden, querystring: { type: 'object', properties: { cursor: { type: 'string' } } } }
  server.get<{ Querystring: { cursor?: string } }>('/', { ...page, schema }, async (request, reply) => {
    const { cursor } = request.query
    const list = await readPage(profilesFor(request), cursor)
    return show(reply, listPage(assets, { ...list, isFirst: cursor === undefined }))
  })
  server.get<{ Params: { username: string } }>('/@:username', page, async (request, reply) => {
    const profile = await findProfile(profilesFor(request), request.params.username)
    if (profile === null) throw new Refusal('profile_not_found')
    return show(reply, profilePage(assets, profile))
  })
  server.get('/edit', page, async (_request, reply) => {
    reply.header('content-security-policy', editPagePolicy(canVerify ? publishableKey : undefined))
    return show(reply, editPage(assets, { publishableKey, canVerify }))
  })
  const assetAt = new Map(Object.values(assets).map((asset) => [asset.path, asset]))
  server.get('/assets/:file', { schema: hidden }, (request, reply) => {
    const asset = assetAt.get(request.url)
    if (asset === undefined) throw new Refusal('not_found')
    return reply.type(asset.type).header('cache-control', FOR_EVER).send(asset.content)
  })
}

/** Overrides, embeddings and isolates of the direction of writing. `dir="auto"` gives each text its own direction. */
const DIRECTION_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g

/**
 * Without the characters by which a name could turn around the text beside it, in the title too, or pose as another.
 * Addresses hold none: they are percent-encoded.
 */
const show = (reply: FastifyReply, page: Html) =>
  reply.type('text/html; charset=utf-8').send(page.toString().replaceAll(DIRECTION_CONTROLS, ''))
