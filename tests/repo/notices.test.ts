import { expect, test } from 'vitest'
import { nameOf, shipped } from './lock.js'
import { table, withPart } from './markdown.js'
import { fromRoot, read } from './tree.js'

const DOCUMENT = 'THIRD-PARTY-NOTICES.md'

/** Permissive, but for the LGPL of a single package: a further one needs a look at its conditions first. */
const ACCEPTED = ['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense']
const ACCEPTED_OF: Readonly<Record<string, string>> = { mariadb: 'LGPL-2.1-or-later' }

const packages = shipped().map(([path, { version = '', license = 'none' }]) => ({
  name: nameOf(path),
  version,
  license,
}))

test('the image ships packages under known licences only', () => {
  const isAccepted = ({ name, license }: { name: string; license: string }) =>
    ACCEPTED.includes(license) || ACCEPTED_OF[name] === license
  expect(packages.filter((each) => !isAccepted(each))).toEqual([])
})

test('the third-party notices list every package of the image with its licence', async () => {
  const rows = packages.map(({ name, version, license }) => [`\`${name}\``, version, license])
  const unique = [...new Map(rows.map((row) => [row.join(), row])).values()]
  const sorted = unique.toSorted((one, other) => (one.join() < other.join() ? -1 : 1))
  const expected = withPart(read(DOCUMENT), 'packages', table(['package', 'version', 'licence'], sorted))
  await expect(expected).toMatchFileSnapshot(fromRoot(DOCUMENT))
})

test('the image holds the notices, and no more packages than they list', () => {
  expect(read('.dockerignore').trimEnd().split('\n').at(-1)).toBe(`!${DOCUMENT}`)
  for (const path of ['Dockerfile', '.ci/sbom', '.ci/audit']) {
    expect(read(path)).toMatch(/--omit[= ]dev --omit[= ]optional/)
  }
})
