import type { Mirror } from '@clerk-mirror/mirror'
import {
  type Handle,
  openQueueInstallation,
  openReactionRegistry,
  type Partitions,
  type RedisTarget,
  type WorkerSettings,
} from '@clerk-mirror/queue/consume'
import { type Log, type Metrics, type ProcessFailure, type Releasers, releaseName } from '@clerk-mirror/runtime'
import type { WorkerConfig } from './config.js'
import { type InstallationGuard, openInstallationGuard } from './installation-guard.js'
import { type RequestedReactions, registerRecorder } from './reaction-runtime/requested-reactions.js'
import type { ReactionList } from './reaction-runtime/start-reactions.js'
import { exportInstallation, installationRecorder } from './record-installation.js'

/** The checks that a worker passes before it takes work, and the settings that its heartbeat carries. */
export type Agreement = {
  guard: InstallationGuard
  /** Resolves when the database works, belongs to this queue, and the reactions that all workers request are known. */
  probe: () => Promise<void>
  /** Wraps the handler of events in these checks. */
  agreed: (handle: Handle) => Handle
  settings: () => WorkerSettings
}

type AgreementContext = {
  config: WorkerConfig
  target: RedisTarget
  partitions: Partitions
  mirror: Mirror
  reactions: ReactionList
  requested: RequestedReactions
  log: Log
  metrics: Metrics
  fail: (reason: ProcessFailure) => void
}

/** Starts comparing and registering. */
export function openAgreement(owned: Releasers, context: AgreementContext): Agreement {
  const { config, target, partitions, mirror, reactions, requested, log, metrics, fail } = context
  const guard = owned.use(
    openInstallationGuard({
      queue: openQueueInstallation(target, partitions, 'worker'),
      database: mirror.installation,
      canary: mirror.canary,
      observer: installationRecorder(log, fail),
    }),
  )
  exportInstallation(guard, metrics)
  const recorder = registerRecorder(log, reactions)
  requested.readFrom(owned.use(openReactionRegistry(target, partitions, reactions.registered, recorder)))
  const keyIds = [...(config.envelopeKeys?.reveal().keys() ?? [])].sort()
  return {
    guard,
    probe: () => mirror.canary().then(guard.ready).then(requested.ready),
    agreed: (handle) => guard.guarded(requested.registered(handle)),
    settings: () => ({
      ...{ version: releaseName(), kinds: config.mirroredKinds.text, keyIds },
      reactions: reactions.all.map(({ name }) => name).sort(),
      installation: guard.stamp()?.id ?? null,
    }),
  }
}
