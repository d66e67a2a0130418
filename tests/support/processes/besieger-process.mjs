// Besieges ingest as its argument says: {port, slow, pipelining, junk} connections of each kind, as JSON. A process of
// its own, so that its work delays no honest sender. JavaScript, because Node starts it without a loader. Tells its
// parent once a second how many connections it has open; ends with it.
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

const { port, slow, pipelining, junk } = JSON.parse(process.argv[2])

/** So soon a connection that was closed comes back. */
const BACK_AFTER_MS = { slow: 1000, pipelining: 250, junk: 5 }
/** Each second a part of the slow ones sends one byte more. */
const TRICKLE_MS = 1000
const TRICKLE_GROUPS = 4
const OPENED_AT_ONCE = 100

const nowS = () => Math.floor(Date.now() / 1000)
const post = (...lines) => ['POST /webhooks/clerk HTTP/1.1', 'host: x', ...lines].join('\r\n')
const signature = (value) => [`svix-id: msg_${value}`, `svix-timestamp: ${nowS()}`, `svix-signature: v1,${value}`]

/** Every way to hold a connection and give nothing for it. */
const SLOW = [
  { begin: () => '' },
  { begin: () => post('x-slow: '), trickles: true },
  // Nothing but the end of the body says that its signature is wrong.
  {
    begin: () => post('content-type: application/json', ...signature('x'), 'content-length: 1000000', '', '{'),
    trickles: true,
  },
  // Reads no answer.
  { begin: () => 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(4), isDeaf: true },
]
/** 3.2 MiB of requests in one go. */
const PIPELINED = Buffer.from('GET /livez HTTP/1.1\r\n\r\n'.repeat(146_000))
/** Half of it can be refused by its headers, half has to be verified. */
const JUNK = [
  () => post('content-type: application/json', 'content-length: 2', '', '{}'),
  () => post('content-type: application/json', ...signature('bm8='), 'content-length: 2', '', '{}'),
]

const open = new Set()
const trickling = new Set()

function besiege(kind, { begin, trickles = false, isDeaf = false, again }) {
  const socket = connect({ port, host: '127.0.0.1' })
  if (isDeaf) socket.pause()
  else socket.on('data', () => again && socket.write(begin()))
  socket.once('connect', () => {
    open.add(socket)
    if (trickles) trickling.add(socket)
    socket.write(begin())
  })
  socket.on('error', () => {}) // it is closed on purpose
  socket.once('close', () => {
    open.delete(socket)
    trickling.delete(socket)
    setTimeout(() => besiege(kind, { begin, trickles, isDeaf, again }), BACK_AFTER_MS[kind])
  })
}

let round = 0
setInterval(() => {
  round += 1
  let index = 0
  for (const socket of trickling) {
    index += 1
    if (index % TRICKLE_GROUPS === round % TRICKLE_GROUPS) socket.write('x')
  }
  process.send?.({ open: open.size })
}, TRICKLE_MS)

process.on('disconnect', () => process.exit())

for (let index = 0; index < slow; index += 1) {
  besiege('slow', SLOW[index % SLOW.length])
  if (index % OPENED_AT_ONCE === 0) await pause(10)
}
for (let index = 0; index < pipelining; index += 1) besiege('pipelining', { begin: () => PIPELINED })
for (let index = 0; index < junk; index += 1) besiege('junk', { begin: JUNK[index % JUNK.length], again: true })
process.send?.({ open: open.size, isComplete: true })
