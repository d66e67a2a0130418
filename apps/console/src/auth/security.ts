import type { FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '../errors.js'
import { isSame, type Session, type Sessions } from './sessions.js'

const SESSION_COOKIE = 'clerk_mirror_console'

/** Scripts and styles are our own files, and no other site may frame a page. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': PAGE_POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  // Not no-referrer, under which a browser hides where a form comes from: see refuseForeignForms.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
}

export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, value: string | null): void {
  const lifetime = value === null ? '; Max-Age=0' : ''
  const secure = request.protocol === 'https' ? '; Secure' : ''
  reply.header('set-cookie', `${SESSION_COOKIE}=${value ?? ''}; Path=/; HttpOnly; SameSite=Strict${secure}${lifetime}`)
}

/** Read once a request, also when its refusal is shown to a signed-in account. */
const asked = new WeakMap<FastifyRequest, Promise<Session | null>>()

/** @throws Refusal while Redis cannot say whether the session was ended. */
export function sessionOf(request: FastifyRequest, sessions: Sessions): Promise<Session | null> {
  const cookies = (request.headers.cookie ?? '').split(/; */)
  const cookie = cookies.find((each) => each.startsWith(`${SESSION_COOKIE}=`))
  const session = asked.get(request) ?? sessions.read(cookie?.slice(SESSION_COOKIE.length + 1))
  asked.set(request, session)
  return session
}

/** @throws Refusal when a browser says that another site sent this. */
export function refuseForeignForms(request: FastifyRequest): void {
  const { origin, host, 'sec-fetch-site': site } = request.headers
  if (site !== undefined && site !== 'same-origin') throw new Refusal('foreign_form')
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host))
    throw new Refusal('foreign_form')
}

/** The fields of a form that one of our pages made for this session. @throws Refusal */
export function formOf(request: FastifyRequest, session: Session | null): URLSearchParams {
  refuseForeignForms(request)
  const form = request.body
  if (!(form instanceof URLSearchParams)) throw new Refusal('invalid_request', 'This address takes a form.')
  if (session && !isSame(form.get('form_key') ?? '', session.formKey)) throw new Refusal('foreign_form')
  return form
}
