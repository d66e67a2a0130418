import type { Log, Metrics, ProcessFailure } from '@clerk-mirror/runtime'
import type { InstallationGuard, InstallationObserver } from './installation-guard.js'

/** Logs the events of the installation; `fail` ends the process. */
export const installationRecorder = (log: Log, fail: (reason: ProcessFailure) => void): InstallationObserver => ({
  stamped: ({ id, epoch }) => log.info({ event: 'installation.stamped', installation: id, epoch }),
  queueLost: ({ id, epoch }) =>
    log.warn(
      { event: 'installation.redis_lost', installation: id, epoch },
      'Redis had lost its data: events that waited there are gone, and work goes on under a new epoch',
    ),
  separated: fail,
})

export function exportInstallation(guard: InstallationGuard, metrics: Metrics): void {
  const epoch = metrics.gauge({
    name: 'clerk_mirror_installation_epoch',
    help: 'How often Redis was begun with: 1 at first, one more each time that it had lost its data',
  })
  metrics.beforeScrape(async () => {
    const stamp = guard.stamp()
    if (stamp) epoch.set({}, stamp.epoch)
    else epoch.clear()
  })
}
