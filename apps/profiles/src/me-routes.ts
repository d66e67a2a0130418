import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from './errors.js'
import { parseEdit } from './parse-edit.js'
import { ownView } from './public-profile.js'
import type { ProfilesFor } from './read.js'
import { answers, EDIT, OWN_PROFILE } from './schemas.js'
import { type SessionOptions, sessionOf } from './session.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The signed-in user; set on the routes of /me alone. */
    clerkId: string
  }
}

/** The own profile of a user signed in with Clerk. A plugin, so that its hook is for its routes alone. */
export function meRoutes(profilesFor: ProfilesFor, options: SessionOptions) {
  return async (server: FastifyInstance): Promise<void> => {
    server.decorateRequest('clerkId', '')
    // Before the body is read: a client without a session sends no 256 KiB to parse.
    server.addHook('onRequest', async (request, reply) => {
      reply.header('cache-control', 'private, no-store')
      const session = await sessionOf(request, options)
      if (session.kind === 'refused') throw new Refusal(session.code)
      request.clerkId = session.clerkId
    })
    const own = async (request: FastifyRequest) => {
      const profile = await profilesFor(request).own(request.clerkId)
      if (profile === 'deleted') throw new Refusal('user_deleted')
      return ownView(profile)
    }
    const security = [{ bearer: [] }, { cookie: [] }]
    server.get(
      '/me',
      {
        schema: {
          summary: 'Your own profile; empty until you have written something',
          security,
          response: answers(OWN_PROFILE, 401, 410, 501),
        },
      },
      (request) => own(request),
    )
    server.put(
      '/me',
      {
        schema: {
          summary: 'Replaces your tagline and your links, in the order in which they are given',
          security,
          body: EDIT,
          response: answers(OWN_PROFILE, 400, 401, 403, 409, 410, 413, 415, 501),
        },
        validatorCompiler: () => () => true,
      },
      async (request) => {
        const parsed = parseEdit(request.body)
        if (parsed.kind === 'invalid') throw new Refusal('invalid_profile', parsed.fields)
        const saved = await profilesFor(request).save(request.clerkId, parsed.edit)
        if (saved === 'deleted') throw new Refusal('user_deleted')
        return own(request)
      },
    )
  }
}
