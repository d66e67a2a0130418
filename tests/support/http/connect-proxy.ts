import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

/** A company's proxy: tunnels by CONNECT, and forwards requests without TLS. */
export type ConnectProxy = AsyncDisposable & {
  url: string
  /** `CONNECT host:port` and `POST http://…`, as they came. */
  asked: string[]
  /** The `Proxy-Authorization` of each. */
  accounts: (string | undefined)[]
  /** Refuses with this status; null hands on. */
  refuses: number | null
  /** The address of a name; names outside the table are unreachable. */
  names: Record<string, number>
}

export async function openConnectProxy(): Promise<ConnectProxy> {
  const note = (method: string, target: string, account: string | undefined) => {
    proxy.asked.push(`${method} ${target}`)
    proxy.accounts.push(account)
  }
  const portOf = (host: string, port: string) => proxy.names[host] ?? Number(port)
  const server = createServer((incoming, response) => {
    note(String(incoming.method), String(incoming.url), incoming.headers['proxy-authorization'])
    if (proxy.refuses !== null) {
      response.writeHead(proxy.refuses).end()
      return
    }
    const { hostname, port, pathname, search } = new URL(String(incoming.url))
    const { 'proxy-authorization': _, ...headers } = incoming.headers
    const options = {
      host: '127.0.0.1',
      port: portOf(hostname, port || '80'),
      path: pathname + search,
      method: incoming.method,
      headers,
    }
    incoming.pipe(
      request(options, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      }).on('error', () => response.writeHead(502).end()),
    )
  })
  server.on('connect', (incoming, socket, head) => {
    const target = String(incoming.url)
    note('CONNECT', target, incoming.headers['proxy-authorization'])
    socket.on('error', () => {})
    if (proxy.refuses !== null) {
      socket.end(`HTTP/1.1 ${proxy.refuses} Refused\r\n\r\n`)
      return
    }
    const [host = '', port = ''] = target.split(':')
    const upstream = connect(portOf(host, port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.write(head)
      upstream.pipe(socket).pipe(upstream)
    })
    upstream.on('error', () => socket.destroy())
    socket.on('close', () => upstream.destroy())
    tunnels.add(socket)
  })
  const tunnels = new Set<{ destroy: () => void }>()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const proxy: ConnectProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    accounts: [],
    refuses: null,
    names: {},
    async [Symbol.asyncDispose]() {
      for (const tunnel of tunnels) tunnel.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}
