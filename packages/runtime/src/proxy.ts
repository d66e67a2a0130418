import { BlockList, isIP } from 'node:net'
import { isLoopback } from './clear-text.js'
import type { Secret } from './secret.js'

/** The outgoing proxies of a network, by the variables that curl and most programs know. */
export type ProxySettings = {
  /** For https:// receivers. */
  https: Secret<URL> | undefined
  /** For http:// receivers. */
  http: Secret<URL> | undefined
  except: NoProxy
}

/** Whether requests to this host bypass the proxy. */
export type NoProxy = (url: URL) => boolean

export const NO_PROXIES: ProxySettings = { https: undefined, http: undefined, except: () => true }

/**
 * The proxy that requests to this address go through; undefined for none. This machine is never reached through one.
 */
export function proxyFor(url: URL, { https, http, except }: ProxySettings): URL | undefined {
  const proxy = url.protocol === 'https:' ? https : http
  return proxy === undefined || isLoopback(hostOf(url)) || except(url) ? undefined : proxy.reveal()
}

/** Names that only a private network knows. A proxy resolves names itself, so its result cannot be checked here. */
export function isPrivateName({ hostname }: URL): boolean {
  const name = hostname.replace(/\.$/, '').toLowerCase()
  return (
    isIP(hostOf({ hostname })) === 0 && (!name.includes('.') || /\.(?:localhost|local|internal|home\.arpa)$/.test(name))
  )
}

export const hostOf = ({ hostname }: Pick<URL, 'hostname'>): string => hostname.replace(/^\[|\]$/g, '')

/** An http:// or https:// proxy; a host and a port alone are the former. Throws an Error that never contains it. */
export function parseProxy(raw: string): URL {
  const text = /^[a-z][a-z\d+.-]*:\/\//i.test(raw) ? raw : `http://${raw}`
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === '' || url.pathname !== '/' || url.search !== '') {
    throw new Error('must be the address of an http:// or https:// proxy, such as http://proxy.example.com:3128')
  }
  return url
}

/**
 * Hosts, domains, addresses and ranges, separated by commas or spaces: `*` is all, and a name includes its subdomains.
 * Throws an Error for an invalid range.
 */
export function parseNoProxy(raw: string): NoProxy {
  const entries = raw.split(/[\s,]+/).filter((entry) => entry !== '')
  const matchers = entries.map(matcherOf)
  return (url) => matchers.some((matches) => matches(url))
}

function matcherOf(entry: string): NoProxy {
  if (entry === '*') return () => true
  if (entry.includes('/')) return inRange(entry)
  const [, name = '', port] = /^(\[[^\]]*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
  const host = hostOf({ hostname: name })
    .replace(/^\*?\./, '')
    .replace(/\.$/, '')
  return (url) => {
    const own = hostOf(url).replace(/\.$/, '')
    const isHost = own === host || (isIP(own) === 0 && own.endsWith(`.${host}`))
    return isHost && (port === undefined || port === portOf(url))
  }
}

const portOf = ({ port, protocol }: URL) => port || (protocol === 'https:' ? '443' : '80')

function inRange(entry: string): NoProxy {
  const [network = '', bits = ''] = entry.split('/')
  const family = isIP(network)
  if (family === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) {
    throw new Error('holds a range that is none: write it like 10.0.0.0/8')
  }
  const range = new BlockList()
  range.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  return (url) => {
    const own = hostOf(url)
    return isIP(own) === family && range.check(own, family === 4 ? 'ipv4' : 'ipv6')
  }
}

const NAMES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'] as const

/** The only settings that other programs also read in lower case, with precedence. */
export function withProxyNames<E extends Readonly<Record<string, string | undefined>>>(env: E): E {
  const lower = NAMES.flatMap((name) => {
    const value = env[name.toLowerCase()]?.trim()
    return value ? [[name, value]] : []
  })
  return { ...env, ...Object.fromEntries(lower) }
}

/** The options that undici's ProxyAgent needs. */
export type ProxyAgentOptions = { uri: string; proxyTunnel: false; token?: string }

/** Many proxies refuse a tunnel for anything but TLS, so plain requests go without one. */
export function proxyAgentOptions({ origin, username, password }: URL): ProxyAgentOptions {
  const account = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const token = account === ':' ? {} : { token: `Basic ${Buffer.from(account).toString('base64')}` }
  return { uri: origin, proxyTunnel: false, ...token }
}

/**
 * The status with which the proxy itself refused, which undici mentions only in the message. Undefined for any other
 * error.
 */
export function proxyStatusOf(error: unknown): string | undefined {
  const message = error instanceof Error ? error.message : ''
  return /^Proxy (?:response|Authentication Required) \((\d+)\)/.exec(message)?.[1]
}
