/** How far this process itself was late is no fault of those that it measures. */
export type Clockwork = Disposable & {
  /** Milliseconds that this process had the machine for; as performance.now(), less the time that it was starved. */
  nowMs: () => number
  starvedMs: () => number
}

const BEAT_MS = 20
/** A beat that is late by less is a timer's way. */
const LATE_MS = 30

export function openClockwork(): Clockwork {
  let starvedMs = 0
  let beatAtMs = performance.now()
  const look = () => {
    const nowMs = performance.now()
    const lateMs = nowMs - beatAtMs - BEAT_MS
    if (lateMs > LATE_MS) starvedMs += lateMs
    beatAtMs = nowMs
  }
  const timer = setInterval(look, BEAT_MS)
  return {
    nowMs: () => {
      look()
      return performance.now() - starvedMs
    },
    starvedMs: () => starvedMs,
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
