// Loaded before a program, to set its clock wrong: `--import …/shifted-clock.mjs?offsetMs=120000`. Times that are
// told are shifted; durations are not, as on a machine with a wrongly set clock that runs well.
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
