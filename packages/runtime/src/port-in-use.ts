/** The address that a server was to listen on, and the setting that changes it. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly settingName: string
}

/** Another program has the port. The message says which port, and which setting to change. */
export class PortInUse extends Error {
  override readonly name = 'PortInUse'
  readonly code = 'port_in_use'

  constructor({ host, port, settingName }: Address, cause: unknown) {
    super(
      `port ${port} on ${host} is taken: stop the process that listens there, or set ${settingName} to another port`,
      { cause },
    )
  }
}

/** The error of a failed `listen` in terms of our settings; any other error unchanged. */
export function listenError(error: unknown, address: Address): unknown {
  const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
  return taken ? new PortInUse(address, error) : error
}
