import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * In this folder: an authority, a certificate for `host` that it has signed, and as `stranger.key` and
 * `stranger.pem` an unsigned one. Needs openssl.
 */
export async function makeCertificates(folder: string, host = 'localhost') {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  const selfSigned = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2']
  writeFileSync(join(folder, 'san.cnf'), `subjectAltName=DNS:${host}\n`)
  await openssl(...selfSigned, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=authority of this test')
  await openssl(...selfSigned, '-keyout', 'stranger.key', '-out', 'stranger.pem', '-subj', '/CN=localhost')
  await openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
    '-subj',
    '/CN=server',
  )
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'san.cnf', '-days', '2']
  await openssl('x509', '-req', '-in', 'server.csr', ...signed, '-out', 'server.pem')
  return { caPath: join(folder, 'ca.pem'), keyPath: join(folder, 'server.key'), certPath: join(folder, 'server.pem') }
}
