// The sender, in a process of its own: raw HTTP/1.1 over kept connections, requests made and signed beforehand. Each
// message is one run: {port, file, ends, connections, perS?}. It answers with {statuses, latenciesMs, answeredAtMs,
// tookMs}. JavaScript, because Node starts it without a loader.
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH = /content-length: (\d+)/i

/** Bytes of the answer that `received` begins with; undefined while it is not complete. */
function answerLength(received) {
  const head = received.indexOf(HEAD_END)
  if (head === -1) return undefined
  const length = LENGTH.exec(received.toString('latin1', 0, head))
  if (!length) throw new Error('an answer has no content-length')
  const total = head + HEAD_END.length + Number(length[1])
  return received.length >= total ? total : undefined
}

/** One connection, which has one request on its way at a time. */
function openLane(port, onAnswer) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let received = null
  let index = -1
  let sentAtMs = 0
  const lane = {
    ready: new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)),
    send(nextIndex, request, dueAtMs) {
      index = nextIndex
      sentAtMs = dueAtMs
      socket.write(request)
    },
    close: () => socket.destroy(),
  }
  socket.on('data', (chunk) => {
    received = received === null ? chunk : Buffer.concat([received, chunk])
    if (answerLength(received) === undefined) return
    const status = Number(received.toString('latin1', 9, 12))
    received = null
    onAnswer(lane, index, status, sentAtMs)
  })
  socket.on('close', () => {
    if (index !== -1) onAnswer(lane, index, 0, sentAtMs)
  })
  return lane
}

async function run({ port, file, ends, connections, perS }) {
  const bytes = readFileSync(file)
  const count = ends.length
  const requestOf = (index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], ends[index])
  const result = { statuses: {}, latenciesMs: new Array(count), answeredAtMs: new Array(count), tookMs: 0 }
  const idle = []
  let next = 0
  let answered = 0
  let beganAtMs = 0
  const dueAtMs = (index) => (perS === undefined ? performance.now() : beganAtMs + (index / perS) * 1000)
  await new Promise((resolve, reject) => {
    const pump = () => {
      while (idle.length > 0 && next < count) {
        const dueMs = dueAtMs(next)
        if (dueMs > performance.now()) break
        // In turn: a connection that asks for nothing is closed after some seconds.
        idle.shift().send(next, requestOf(next), dueMs)
        next += 1
      }
    }
    const onAnswer = (lane, index, status, sentAtMs) => {
      if (answered === count) return
      if (status === 0) return reject(new Error('a connection broke'))
      result.statuses[status] = (result.statuses[status] ?? 0) + 1
      result.latenciesMs[index] = performance.now() - sentAtMs
      result.answeredAtMs[index] = performance.timeOrigin + performance.now()
      answered += 1
      idle.push(lane)
      if (answered < count) return pump()
      clearInterval(timer)
      result.tookMs = performance.now() - beganAtMs
      for (const each of lanes) each.close()
      resolve()
    }
    const lanes = Array.from({ length: connections }, () => openLane(port, onAnswer))
    let timer
    Promise.all(lanes.map((lane) => lane.ready)).then(() => {
      idle.push(...lanes)
      beganAtMs = performance.now()
      if (perS !== undefined) timer = setInterval(pump, 1)
      pump()
    }, reject)
  })
  return result
}

process.on('message', async (order) => {
  try {
    process.send({ result: await run(order) })
  } catch (error) {
    process.send({ fault: error.message })
  }
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
