import type { PublishableKey } from './clerk-keys.js'

const DIRECTIVES = {
  'default-src': "'none'",
  'style-src': "'self'",
  'img-src': "'self' https:",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
}

const policyOf = (directives: Readonly<Record<string, string>>) =>
  Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources}`)
    .join('; ')

/** For every answer. No script runs on a page, so that nothing that a user has written can be one. */
export const SECURITY_HEADERS = {
  'content-security-policy': policyOf(DIRECTIVES),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'strict-origin-when-cross-origin',
  'cross-origin-resource-policy': 'same-origin',
}

/**
 * For the page on which people edit their profile: our script, and Clerk's documented sources, styles that its
 * components make in the browser included. That page shows no text of other users.
 */
export function editPagePolicy(clerk: PublishableKey | undefined): string {
  if (clerk === undefined) return policyOf(DIRECTIVES)
  const api = `https://${clerk.frontendApi}`
  const challenges = 'https://challenges.cloudflare.com'
  const protect = 'https://*.protect.clerk.com'
  return policyOf({
    ...DIRECTIVES,
    'script-src': `'self' ${api} ${challenges} ${protect}`,
    'connect-src': `'self' ${api} ${protect}:*`,
    'style-src': "'self' 'unsafe-inline'",
    'img-src': "'self' https: data:",
    'frame-src': `${challenges} ${protect}`,
    'worker-src': "'self' blob:",
    'form-action': "'self'",
  })
}
