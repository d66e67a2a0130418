import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../until.js'

/** Says so, once a file, where it is not installed (Debian: apt install nginx-light). */
export function hasNginx(): boolean {
  if (spawnSync('nginx', ['-v']).error === undefined) return true
  console.warn('SKIPPED: nothing is tried behind nginx, for it is missing (Debian: apt install nginx-light)')
  return false
}

export type Nginx = AsyncDisposable & {
  /** The answers of the upstream servers to each request, in turn: `202`, or `502, 202`. */
  tries: () => string[]
}

/** nginx with these blocks of its `http` context. */
export async function openNginx(blocks: string, port: number): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mirror-nginx-'))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`)
  const conf = `
    daemon off;
    pid nginx.pid;
    worker_processes 1;
    error_log error.log;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 512; }
    http {
      ${temporary.join('\n')}
      log_format tries '$upstream_status';
      access_log access.log tries;
      ${blocks}
    }`
  writeFileSync(join(folder, 'nginx.conf'), conf)
  const child: ChildProcess = spawn('nginx', ['-p', folder, '-c', 'nginx.conf'], { stdio: 'inherit' })
  const exited = once(child, 'exit')
  const nginx = {
    tries: () => readFileSync(join(folder, 'access.log'), 'utf8').split('\n').slice(0, -1),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await until(async () => (await fetch(`http://127.0.0.1:${port}/`)).status > 0 || child.exitCode !== null)
  return nginx
}
