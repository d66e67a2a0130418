import { Webhook } from 'svix'

/** A request before it is bytes. */
export type Request = {
  method: string
  target: string
  version: string
  headers: [string, string][]
  body: Buffer
  /** How the body goes over the wire: as it is, or in other bytes that say the same, or do not. */
  framed: Buffer
}

export type SignOptions = { secret: string; id: string; atS?: number; body: string | Buffer }

export const nowS = () => Math.floor(Date.now() / 1000)

/** As Svix sends it, with its own library's signature. */
export function signedRequest({ secret, id, atS = nowS(), body }: SignOptions): Request {
  const bytes = Buffer.from(body)
  return {
    method: 'POST',
    target: '/webhooks/clerk',
    version: 'HTTP/1.1',
    headers: [
      ['host', 'mirror.example.org'],
      ['content-type', 'application/json'],
      ['svix-id', id],
      ['svix-timestamp', String(atS)],
      ['svix-signature', new Webhook(secret).sign(id, new Date(atS * 1000), bytes)],
      ['content-length', String(bytes.length)],
    ],
    body: bytes,
    framed: bytes,
  }
}

export function bytesOf({ method, target, version, headers, framed }: Request): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.concat([Buffer.from(`${method} ${target} ${version}\r\n${lines}\r\n`, 'latin1'), framed])
}

export const headerOf = ({ headers }: Request, name: string): string =>
  headers.find(([each]) => each.toLowerCase() === name)?.[1] ?? ''

/** The same request with one header changed; undefined takes it away. */
export function withHeader(request: Request, name: string, value: string | undefined): Request {
  const others = request.headers.filter(([each]) => each.toLowerCase() !== name)
  return { ...request, headers: value === undefined ? others : [...others, [name, value]] }
}

export const withMore = (request: Request, ...more: [string, string][]): Request => ({
  ...request,
  headers: [...request.headers, ...more],
})

/** With other bytes as the body and their length as content-length; the signature stays the same. */
export const withBody = (request: Request, body: Buffer): Request => ({
  ...withHeader(request, 'content-length', String(body.length)),
  body,
  framed: body,
})

/** The body in chunks, with an `extension` of chunks and `trailers` if given. */
export function chunked(request: Request, { extension = '', trailers = '' } = {}): Request {
  const half = Math.ceil(request.body.length / 2)
  const chunk = (bytes: Buffer) =>
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}${extension}\r\n`), bytes, Buffer.from('\r\n')])
  const parts = [chunk(request.body.subarray(0, half)), chunk(request.body.subarray(half))]
  const bare = withHeader(request, 'content-length', undefined)
  const framed = Buffer.concat([...parts, Buffer.from(`0\r\n${trailers}\r\n`)])
  return { ...withMore(bare, ['transfer-encoding', 'chunked']), framed }
}
