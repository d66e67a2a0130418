import type { Violation } from '../support/invariants.js'
import type { History, SimulatedEvent } from './history.js'
import type { Delivered } from './run-history.js'

const SHOWN_VIOLATIONS = 5
const SHOWN_DELIVERIES = 60
const SHOWN_TEXT = 300

/** The violation, for people: the object, its expected and actual values, and its deliveries. */
export function storyOf(history: History, violations: readonly Violation[], journal: readonly Delivered[]): string {
  const lines = violations.slice(0, SHOWN_VIOLATIONS).flatMap(describe)
  const more = violations.length - SHOWN_VIOLATIONS
  if (more > 0) lines.push(`… and ${more} more violations`)
  const [first] = violations
  if (!first) return lines.join('\n')
  const related = eventsAbout(history, first)
  const eventOf = new Map(related.map((event) => [event.eventId, event]))
  lines.push('', 'What was delivered about it and about the deleted objects that it names:')
  for (const delivered of journal.filter(({ eventId }) => eventOf.has(eventId)).slice(0, SHOWN_DELIVERIES)) {
    const event = eventOf.get(delivered.eventId)
    if (event)
      lines.push(`  round ${delivered.round}, applier ${delivered.applier}: ${told(event)} → ${delivered.answer}`)
  }
  return lines.join('\n')
}

function describe({ invariant, object, what, expected, found }: Violation): string[] {
  return [`${invariant}  ${object}: ${what}`, `      expected  ${cut(expected)}`, `      found     ${cut(found)}`]
}

const cut = (text: string) => (text.length > SHOWN_TEXT ? `${text.slice(0, SHOWN_TEXT)}…` : text)

function eventsAbout({ events }: History, { object, expected, found }: Violation): SimulatedEvent[] {
  const naming =
    (place: string) =>
    ({ objectId, eventId }: SimulatedEvent) =>
      place.includes(objectId) || place.includes(eventId)
  const named = events.filter(naming(object))
  const about = named.length > 0 ? named : events.filter(naming(`${expected} ${found}`))
  const ids = new Set(about.map(({ objectId }) => objectId))
  const own = events.filter(({ objectId }) => ids.has(objectId))
  const isNamed = (event: SimulatedEvent) =>
    event.type.endsWith('.deleted') && own.some(({ body }) => body.includes(`"${event.objectId}"`))
  return events.filter((event) => ids.has(event.objectId) || isNamed(event))
}

function told({ eventId, type, objectId, body }: SimulatedEvent): string {
  const { data, timestamp }: { data: { updated_at?: number }; timestamp?: number } = JSON.parse(body)
  return `${type} ${objectId} (${data.updated_at ?? '-'}, ${timestamp ?? '-'}, ${eventId})`
}
