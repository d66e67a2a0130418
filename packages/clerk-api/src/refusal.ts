import { ClerkApiError, type ClerkApiErrorCode } from './clerk-api-error.js'

const UNAUTHORIZED = 401
const PAYMENT_REQUIRED = 402
const FORBIDDEN = 403
const NOT_FOUND = 404

/** Codes of Clerk for a feature that the instance does not have, or not in its plan. */
const FEATURE_OFF = /not_enabled|disabled|not_supported|unsupported|feature|upgrade|payment|plan/

/**
 * A refusal of Clerk: an absence only when Clerk itself says so. A proxy or a wrong address answers with 404 too, and
 * each object would look deleted.
 * @throws ClerkApiError for any other.
 */
export function refusalOf(endpoint: string, status: number, text: string): { kind: 'absent' } {
  const code = clerkCodeOf(text)
  if (status === NOT_FOUND && code?.endsWith('not_found')) return { kind: 'absent' }
  const named = code === undefined ? `${status}` : `${status} ${code}`
  throw new ClerkApiError(codeOf(status, code ?? ''), `Clerk's API refuses ${endpoint}: ${named}`, status)
}

function codeOf(status: number, code: string): ClerkApiErrorCode {
  if (code.includes('version')) return 'clerk_api_version_refused'
  if (status === PAYMENT_REQUIRED || (status === FORBIDDEN && FEATURE_OFF.test(code))) return 'clerk_api_kind_disabled'
  if (status === UNAUTHORIZED || status === FORBIDDEN) return 'clerk_api_key_refused'
  return 'clerk_api_refused'
}

/** The code in `{"errors":[{"code":"resource_not_found"}]}`: its words beside it may repeat a part of the key. */
function clerkCodeOf(text: string): string | undefined {
  try {
    const { errors } = Object(JSON.parse(text)) as { errors?: unknown }
    const [first] = Array.isArray(errors) ? errors : []
    const { code } = Object(first) as { code?: unknown }
    return typeof code === 'string' && /^\w{1,80}$/.test(code) ? code : undefined
  } catch {
    return undefined
  }
}
