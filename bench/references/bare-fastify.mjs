// R1: Fastify that reads the body and answers 202. With `verify` it checks the signature as well, by our code or by the
// vendor's library, and does nothing else: the difference is the cost of verification.
import { verifyRequest } from '@clerk-mirror/events'
import Fastify from 'fastify'
import { Webhook } from 'svix'

const VERIFIERS = {
  none: () => () => true,
  ours: (secret) => {
    const keys = [Buffer.from(secret.slice('whsec_'.length), 'base64')]
    return (request) => verifyRequest(request.raw.rawHeaders, request.body, keys, Date.now()).kind === 'verified'
  },
  svix: (secret) => {
    const webhook = new Webhook(secret)
    return (request) => {
      webhook.verify(request.body, request.headers)
      return true
    }
  },
}

process.on('message', async ({ verify = 'none', secret }) => {
  const isSigned = VERIFIERS[verify](secret)
  const server = Fastify()
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  server.post('/webhooks/clerk', async (request, reply) =>
    isSigned(request) ? reply.code(202).send({ status: 'accepted' }) : reply.code(401).send({ status: 'refused' }),
  )
  await server.listen({ host: '127.0.0.1', port: 0 })
  process.send({ result: { port: server.server.address().port } })
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
