import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A delivery as it came. `key` is its webhook-id: the same for a repetition. */
export type Received = { key: string; headers: IncomingHttpHeaders; text: string; body: ChangeBody }
export type ChangeBody = {
  type: string
  timestamp: string
  data: {
    kind: string
    id: string
    userId: string | null
    organizationId: string | null
    version: { updatedAtMs: number; timestampMs: number; eventId: string }
    changedFields: string[]
    object: { version: object; public: Record<string, unknown> | null; clerk?: Record<string, unknown> } | null
  }
}

export type Answer = { status: number; headers?: Record<string, string>; body?: string | Buffer }

/** A receiver of change webhooks. Accepts all of them by default. */
export type Receiver = AsyncDisposable & {
  url: string
  received: Received[]
  answer: (received: Received) => Answer | Promise<Answer>
}

export async function openReceiver(): Promise<Receiver> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    const { headers } = request
    const delivery = { key: String(headers['webhook-id']), headers, text, body: JSON.parse(text || 'null') }
    receiver.received.push(delivery)
    const { status, headers: answered = {}, body = '' } = await receiver.answer(delivery)
    response.writeHead(status, answered).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/changes`,
    received: [],
    answer: () => ({ status: 204 }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return receiver
}
