import { openSources } from '../tests/support/typescript-sources.mjs'

const sources = await openSources()
try {
  const { bench } = await sources.load('../../bench/main.ts')
  await bench(process.argv.slice(2))
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await sources.close()
}
