// npm run test:compat -- URL [URL …]: the suites that need a database, on each server named, one after the other.
// A URL is one of an account that may create databases, such as mysql://root:…@127.0.0.1:3306/.
import { spawnSync } from 'node:child_process'
import { connectOnce } from '../../packages/mirror/dist/database/connection.js'
import { parseDatabaseUrl } from '../../packages/mirror/dist/database/database-url.js'

const PROJECTS = ['integration', 'e2e', 'simulation']

async function versionOf(url) {
  const connection = await connectOnce({ ...parseDatabaseUrl(new URL('/mysql', url).href), database: '' })
  const [{ version }] = await connection.query('SELECT VERSION() AS version')
  await connection.end()
  return version
}

function run(url) {
  const args = ['vitest', 'run', ...PROJECTS.flatMap((project) => ['--project', project])]
  return spawnSync('npx', args, { stdio: 'inherit', env: { ...process.env, TEST_DATABASE_URL: url } }).status === 0
}

const urls = process.argv.slice(2)
if (urls.length === 0 || urls.includes('--help')) {
  console.log('Usage: npm run test:compat -- URL [URL …]')
  process.exit(urls.length === 0 ? 2 : 0)
}
const answers = []
for (const url of urls) {
  const version = await versionOf(url).catch((error) => `no answer: ${error.message}`)
  console.log(`== ${version}`)
  answers.push({ version, passed: !version.startsWith('no answer') && run(url) })
}
console.log(answers.map(({ version, passed }) => `${passed ? 'passed' : 'FAILED'}  ${version}`).join('\n'))
process.exitCode = answers.every(({ passed }) => passed) ? 0 : 1
