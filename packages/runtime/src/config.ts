import { demandNoExample } from './example-secrets.js'
import { type AppName, type DefaultedName, SETTINGS, type Setting, type SettingName } from './settings.js'

/**
 * Turns a setting's text, trimmed and never empty, into its value. Throws an Error with a message that completes the
 * sentence "REDIS_URL …" ("must begin with redis://") and does not contain the value.
 */
export type Parser<T> = (raw: string) => T

export type Environment = Readonly<Record<string, string | undefined>>

export interface Read {
  /** The setting's value; not set is a fault, unless the table has a default. */
  required<T>(name: SettingName, parse: Parser<T>): T
  /** The setting's value, else the table's default, else undefined. */
  optional<T>(name: DefaultedName, parse: Parser<T>): T
  optional<T>(name: SettingName, parse: Parser<T>): T | undefined
  /** The value of the first of these that is set, else the default of the first. */
  first<T>(names: readonly [DefaultedName, ...SettingName[]], parse: Parser<T>): T
}

export interface Fault {
  readonly name: SettingName
  readonly problem: string
}

/** All faults of a configuration, by name. */
export class ConfigFaults extends Error {
  override readonly name = 'ConfigFaults'
  readonly code = 'config_invalid'
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[]) {
    const lines = faults.map(({ name, problem }) => `  ${name} ${problem}`)
    super(['the configuration cannot be used:', ...lines].join('\n'))
    this.faults = faults
  }
}

/**
 * Reads a configuration: `readConfig(env, (read) => ({ port: read.first(['INGEST_PORT', 'PORT'], port) }))`.
 * `app` is named where the table has a default of its own for it.
 * @throws ConfigFaults with every fault found.
 */
export function readConfig<C>(env: Environment, shape: (read: Read) => C, app?: AppName): C {
  const reader = new Reader(env, app)
  try {
    const config = shape(reader)
    reader.throwFaults()
    return config
  } catch (error) {
    // A shape that computes with a faulty setting's placeholder fails on it; then the faults are the reason to report.
    reader.throwFaults()
    throw error
  }
}

class Reader implements Read {
  readonly #env: Environment
  readonly #app: AppName | undefined
  readonly #faults: Fault[] = []

  constructor(env: Environment, app: AppName | undefined) {
    this.#env = env
    this.#app = app
  }

  required<T>(name: SettingName, parse: Parser<T>): T {
    const raw = this.#set(name) ?? defaultOf(name, this.#app)
    if (raw === undefined) return this.#faulty(name, `is not set (example: ${SETTINGS[name].example})`)
    return this.#parsed(name, raw, parse)
  }

  optional<T>(name: DefaultedName, parse: Parser<T>): T
  optional<T>(name: SettingName, parse: Parser<T>): T | undefined
  optional<T>(name: SettingName, parse: Parser<T>): T | undefined {
    const raw = this.#set(name) ?? defaultOf(name, this.#app)
    return raw === undefined ? undefined : this.#parsed(name, raw, parse)
  }

  first<T>(names: readonly [DefaultedName, ...SettingName[]], parse: Parser<T>): T {
    return this.required(names.find((name) => this.#set(name) !== undefined) ?? names[0], parse)
  }

  throwFaults(): void {
    if (this.#faults.length > 0) throw new ConfigFaults(this.#faults)
  }

  // White space around a value comes from a file or a clipboard; in compose an empty value means "not set".
  #set(name: SettingName): string | undefined {
    return this.#env[name]?.trim() || undefined
  }

  #parsed<T>(name: SettingName, raw: string, parse: Parser<T>): T {
    const setting: Setting = SETTINGS[name]
    try {
      if (setting.secret) demandNoExample(raw)
      return parse(raw)
    } catch (error) {
      return this.#faulty(name, problemOf(name, raw, error))
    }
  }

  // The shape has to run to its end for the other faults to be found, so a faulty setting must yield a placeholder.
  // Callers never see it: readConfig throws instead of returning.
  #faulty<T>(name: SettingName, problem: string): T {
    if (!this.#faults.some((fault) => fault.name === name)) this.#faults.push({ name, problem })
    return undefined as T
  }
}

function defaultOf(name: SettingName, app: AppName | undefined): string | undefined {
  const setting: Setting = SETTINGS[name]
  return (app && setting.defaultOf?.[app]) ?? setting.default
}

// Parsers promise not to quote the value, but they belong to other packages, and a secret would be in the logs for
// good.
function problemOf(name: SettingName, raw: string, error: unknown): string {
  const setting: Setting = SETTINGS[name]
  if (!(error instanceof Error) || (setting.secret && error.message.includes(raw))) return 'is not valid'
  return error.message
}
