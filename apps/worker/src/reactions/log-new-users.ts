import type { Reaction } from './reaction.js'

/** A line in the log for everybody who signs up: the sample to begin with. */
export const logNewUsers: Reaction = {
  name: 'log-new-users',
  wants: ['user.created'],
  async react({ change, log }) {
    log.info({ event: 'reaction.new_user', userId: change.objectId }, 'somebody signed up')
  },
}
