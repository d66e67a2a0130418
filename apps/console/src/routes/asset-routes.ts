import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'

const TYPES = {
  'console.css': 'text/css; charset=utf-8',
  'console.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
}

/** Style, script and icon: the same for everybody, signed in or not. */
export function assetRoutes(server: FastifyInstance): void {
  for (const [name, type] of Object.entries(TYPES)) {
    const content = readFileSync(fileURLToPath(new URL(`../../assets/${name}`, import.meta.url)))
    // Asked for again after each release: the page and its style must be of one age.
    server.get(`/assets/${name}`, (_request, reply) =>
      reply.type(type).header('cache-control', 'no-cache').send(content),
    )
  }
}
