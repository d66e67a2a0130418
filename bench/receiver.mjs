// A receiver of changes, in a process of its own. It takes everything. The message {open} is answered with its port, any
// other with what it was sent since the last one: [{key, timestamp, signature, text}]. JavaScript, because Node starts it
// without a loader.
import { createServer } from 'node:http'

const received = []
const server = createServer((request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.once('end', () => {
    const { 'webhook-id': key, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = request.headers
    received.push({ key, timestamp, signature, body: Buffer.concat(chunks) })
    response.writeHead(204).end()
  })
})

process.on('message', ({ open }) => {
  if (open) server.listen(0, '127.0.0.1', () => process.send({ result: server.address().port }))
  else process.send({ result: received.splice(0).map(({ body, ...head }) => ({ ...head, text: body.toString() })) })
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
