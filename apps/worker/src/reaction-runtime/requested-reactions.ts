import { Failure } from '@clerk-mirror/events'
import type { ReactionInterests, Reactions } from '@clerk-mirror/mirror'
import type { Handle, ReactionRegistry, RegistryObserver } from '@clerk-mirror/queue/consume'
import type { Log } from '@clerk-mirror/runtime'
import type { ReactionList } from './start-reactions.js'
import { interestsOf, wantedOnRegister } from './wants.js'

/** The reactions of all workers: each worker requests all of them, even those that it does not run itself. */
export type RequestedReactions = {
  forMirror: Reactions
  /** Resolves when the register has been read. @throws Failure of class `outage` */
  ready: () => Promise<void>
  /**
   * Wraps the handler: reads the register before each batch, and acknowledges no newer version until the batch ends.
   */
  registered: (handle: Handle) => Handle
  /**
   * To be called before the first batch; the register is opened later than the mirror, once the process is sure to
   * start.
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
  // A process that is starved of CPU polls rarely: it reads once more, and may commit when nothing has changed.
  const areCurrent: Reactions['areCurrent'] = async (given) => {
    if (opened().isCurrent()) return true
    await opened()
      .poll()
      .catch(() => {})
    return opened().isCurrent() && interests() === given
  }
  return {
    forMirror: { interests, areCurrent, onRequested: list.wake },
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

/** Logs the events of the register. */
export const registerRecorder = (log: Log, list: ReactionList): RegistryObserver => {
  const reactions = list.all.map(({ name }) => name)
  return {
    registered: () => {
      if (reactions.length > 0) log.info({ event: 'reaction.registered', reactions })
    },
    acknowledged: () =>
      log.info(
        { event: 'reaction.promised', reactions },
        'each change that commits from now on requests these reactions',
      ),
    unacknowledged: (workers) =>
      log.warn(
        { event: 'reaction.unacknowledged', reactions, workers: workers.map(({ host, pid }) => `${host} ${pid}`) },
        'these workers may not request them yet: they run an earlier release, or do not answer',
      ),
  }
}
