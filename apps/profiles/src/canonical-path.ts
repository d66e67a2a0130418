/**
 * Characters that mean the same whether they are percent-encoded or not, and `@`, which means nothing else in a path.
 */
const PLAIN = /^[\w.~@-]$/

/**
 * The canonical form of a path that a client wrote otherwise: without slashes at its end, and without percent encoding
 * where none is needed (`/%40ada/` is `/@ada`). The caller must know the path before it redirects a client there.
 */
export function canonicalPath(path: string): string {
  const decoded = path.replaceAll(/%[\da-f]{2}/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
    return PLAIN.test(character) ? character : encoded
  })
  return decoded.replace(/\/+$/, '')
}
