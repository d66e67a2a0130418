// R2: the handler that most teams write. Verifies with the vendor's library, upserts the user while Clerk waits.
import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import Fastify from 'fastify'
import { Webhook } from 'svix'
import { PrismaClient } from '../../packages/mirror/dist/generated/client.js'
import { again, PATIENT, writeUser } from './user-columns.mjs'

process.on('message', async ({ database, secret, connections }) => {
  const adapter = new PrismaMariaDb({ ...database, connectionLimit: connections })
  const prisma = new PrismaClient({ adapter, transactionOptions: PATIENT })
  const webhook = new Webhook(secret)
  const server = Fastify()
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  server.post('/webhooks/clerk', async (request, reply) => {
    const event = webhook.verify(request.body, request.headers)
    await again(() => writeUser(prisma, event))
    return reply.code(202).send({ status: 'applied' })
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  process.send({ result: { port: server.server.address().port } })
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
