// Delivers one change as a worker does, in a process of its own: Node reads NODE_EXTRA_CA_CERTS at its start alone.

import { readWorkerConfig } from '../../../apps/worker/dist/config.js'
import { webhookReaction } from '../../../apps/worker/dist/reaction-runtime/change-webhook.js'

const { changeWebhooks, proxies } = readWorkerConfig(JSON.parse(process.argv[2]))
const { urls, secrets, ...how } = changeWebhooks
const reaction = webhookReaction({ url: urls.reveal()[0], secrets: secrets.reveal(), ...how, proxies })
try {
  await reaction.react({
    change: {
      ...{ what: 'updated', kind: 'user', objectId: 'user_1', userId: null, organizationId: null, changedFields: [] },
      ...{ version: { updatedAtMs: 5, timestampMs: 6, eventId: 'msg_1' }, askedAtMs: 0 },
    },
    object: async () => null,
    ...{ idempotencyKey: 'x_key', attempt: 1, signal: AbortSignal.timeout(10_000) },
  })
  console.log('delivered')
} catch (error) {
  console.log(error.message)
} finally {
  reaction[Symbol.dispose]()
}
