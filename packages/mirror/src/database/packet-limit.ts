/**
 * Bytes that the server takes in one statement. Known once a connection has been made; until then no batch is split
 * because of it.
 */
export type PacketLimit = { bytes: number }
