import { Failure } from '@clerk-mirror/events'
import type { ReactionInterests, Reactions } from '@clerk-mirror/mirror'
import type { Handle, ReactionRegistry, RegistryObserver } from '@clerk-mirror/queue/consume'
import type { Log } from '@clerk-mirror/runtime'
import type { ReactionList } from './start-reactions.js'
import { interestsOf, wantedOnRegister } from './wants.js'

/** The reactions of all workers: each worker requests all of them, whichever it runs itself. */
export type RequestedReactions = {
  forMirror: Reactions
  /** Resolves when the register has been read. @throws Failure of class `outage` */
  ready: () => Promise<void>
  /** The handler, with the register read before each batch, and kept from acknowledging a newer one until its end. */
  registered: (handle: Handle) => Handle
  /**
   * Before the first batch; the register is opened later than the mirror, when nothing can keep the process from
   * starting.
   */
  readFrom: (register: ReactionRegistry) => void
}

export function requestedReactions(list: ReactionList): RequestedReactions {
  let register: ReactionRegistry | undefined
  let known: { version: number; interests: ReactionInterests | null } | null = null
  const interests = (): ReactionInterests | null => {
    const now = register?.current()
    if (!now) return null
    if (known?.version !== now.version) {
      const wanted = wantedOnRegister(now.reactions)
      known = { version: now.version, interests: wanted.length === 0 ? null : interestsOf(wanted) }
    }
    return known.interests
  }
  const ready = () => opened().pollUnlessCurrent().catch(unread)
  const opened = () => {
    if (!register) throw new Error('the register of reactions is not open')
    return register
  }
  // A process that gets little of a processor looks rarely: it asks once more, and may commit when nothing has changed.
  const areCurrent: Reactions['areCurrent'] = async (given) => {
    if (opened().isCurrent()) return true
    await opened()
      .poll()
      .catch(() => {})
    return opened().isCurrent() && interests() === given
  }
  return {
    forMirror: { interests, areCurrent, onAsked: list.wake },
    ready,
    registered: (handle) => async (batch) => {
      await ready()
      using _held = opened().hold()
      return await handle(batch)
    },
    readFrom(opening) {
      register = opening
    },
  }
}

function unread(error: unknown): never {
  const cause = error instanceof Error ? error.message : String(error)
  throw new Failure('outage', 'register_unread', `Redis does not say which reactions there are: ${cause}`, error)
}

/** Where the register is logged. */
export const registerRecorder = (log: Log, list: ReactionList): RegistryObserver => {
  const reactions = list.all.map(({ name }) => name)
  return {
    registered: () => {
      if (reactions.length > 0) log.info({ event: 'reaction.registered', reactions })
    },
    acknowledged: () =>
      log.info({ event: 'reaction.promised', reactions }, 'each change that commits from now on is asked for'),
    unacknowledged: (workers) =>
      log.warn(
        { event: 'reaction.unacknowledged', reactions, workers: workers.map(({ host, pid }) => `${host} ${pid}`) },
        'these workers may not ask for it yet: they are of an earlier release, or do not answer',
      ),
  }
}
