// Loaded before a program whose clock is to be wrong: `--import …/shifted-clock.mjs?offsetMs=120000`. Times that are
// told are shifted; durations are not, as on a machine whose clock is set wrongly and runs well.
const offsetMs = Number(new URL(import.meta.url).searchParams.get('offsetMs'))
const RightDate = Date

globalThis.Date = class extends RightDate {
  constructor(...when) {
    if (when.length === 0) super(RightDate.now() + offsetMs)
    else super(...when)
  }

  static now() {
    return RightDate.now() + offsetMs
  }
}
