// A receiver of changes, in a process of its own. It takes everything. It answers with its `port`, the `count` of its
// deliveries, and the deliveries, [{key, timestamp, signature, text}], which it then forgets. JavaScript, because Node
// starts it without a loader.
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

const answers = {
  port: () => server.address().port,
  count: () => received.length,
  all: () => received.splice(0).map(({ body, ...head }) => ({ ...head, text: body.toString() })),
}

process.on('message', ({ what }) => process.send({ result: answers[what]() }))
process.on('disconnect', () => process.exit())
server.listen(0, '127.0.0.1', () => process.send({ ready: true }))
