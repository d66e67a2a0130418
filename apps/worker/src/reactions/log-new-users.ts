import type { Reaction } from './reaction.js'

/** A line in the log for every new user: the sample to start from. */
export const logNewUsers: Reaction = {
  name: 'log-new-users',
  wants: ['user.created'],
  async react({ change, log }) {
    log.info({ event: 'reaction.new_user', userId: change.objectId }, 'a user signed up')
  },
}
