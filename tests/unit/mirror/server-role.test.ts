import { expect, test } from 'vitest'
import { isRoleError } from '../../../packages/mirror/src/database/server-role.js'

const error = (errno: number, message = '') => Object.assign(new Error(message), { errno })

test.each([
  error(1290, 'The MariaDB server is running with the --read-only option so it cannot execute this statement'),
  error(1792, 'Cannot execute statement in a READ ONLY transaction'),
  error(1836, 'Running in read-only mode'),
  error(3100, "Error on observer while running replication hook 'before_commit'"),
  error(1047, 'WSREP has not yet prepared node for application use'),
  error(1105, 'target: clerk.0.primary: primary is not serving, there may be a reparent operation in progress'),
  error(1105, 'vttablet: rpc error: code = FailedPrecondition desc = operation not allowed in state NOT SERVING'),
  error(1105, 'vttablet: rpc error: code = Code(17) desc = CLUSTER_EVENT'),
])('speaks of the role of the server: $errno $message', (refusal) => {
  expect(isRoleError(refusal)).toBe(true)
})

test.each([
  error(1105, 'vttablet: rpc error: code = ResourceExhausted desc = transaction pool connection limit exceeded'),
  error(1205, 'Lock wait timeout exceeded'),
  error(1062, "Duplicate entry 'not serving' for key 'username'"),
  new Error('read ECONNRESET'),
  null,
])('speaks of something else: %o', (refusal) => {
  expect(isRoleError(refusal)).toBe(false)
})
