import { hostname, userInfo } from 'node:os'

/** The actor for the audit log: the account and machine that run the command. */
export function actor(): string {
  return `${account()}@${hostname()}`
}

/** A container may run as a number that no account has. */
function account(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
