import type { FastifyInstance } from 'fastify'
import { Refusal } from './errors.js'
import { findProfile, type ProfileCalls, type ProfilesFor, readPage } from './read.js'
import { answers, PROFILE, PROFILE_LIST } from './schemas.js'

const TEXT = { type: 'string' }

/** The read API, for everybody. */
export function apiRoutes(server: FastifyInstance, profilesFor: ProfilesFor): void {
  server.get<{ Querystring: { username?: string; cursor?: string } }>(
    '/profiles',
    {
      config: { isPublic: true },
      schema: {
        summary: 'The newest profiles, 30 at a time; with username, that profile',
        querystring: {
          type: 'object',
          properties: {
            username: { ...TEXT, description: 'Answers with this profile instead of a list' },
            cursor: { ...TEXT, description: '`next` of the page before' },
          },
        },
        response: answers({ anyOf: [PROFILE_LIST, PROFILE] }, 400, 404),
      },
    },
    async (request) => {
      const { username, cursor } = request.query
      const profiles = profilesFor(request)
      return username === undefined ? readPage(profiles, cursor) : found(profiles, username)
    },
  )
  server.get<{ Params: { username: string } }>(
    '/profiles/:username',
    {
      config: { isPublic: true },
      schema: {
        summary: 'One profile; upper and lower case are the same',
        params: { type: 'object', properties: { username: TEXT } },
        response: answers(PROFILE, 404),
      },
    },
    (request) => found(profilesFor(request), request.params.username),
  )
}

async function found(profiles: ProfileCalls, username: string) {
  const profile = await findProfile(profiles, username)
  if (profile === null) throw new Refusal('profile_not_found')
  return profile
}
