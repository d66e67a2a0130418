import { accessSync, constants } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { fromRoot, manifestOf, read } from './tree.js'

const workflow = parse(read('.github/workflows/ci.yml'))

test('the workflow does what anybody can do with .ci/run', () => {
  accessSync(fromRoot('.ci/run'), constants.X_OK)
  const runs = workflow.jobs.ci.steps.flatMap((step: { run?: string }) => step.run ?? [])
  expect(runs).toEqual(['.ci/run'])
})

test('the bill of materials that a run writes is kept with it', () => {
  const [, path] = />(\S+)$/m.exec(read('.ci/sbom')) ?? []
  const uploads = workflow.jobs.ci.steps.filter(({ uses = '' }) => uses.startsWith('actions/upload-artifact@'))
  expect(uploads.map((step: { with: { path: string } }) => step.with.path)).toEqual([path])
  for (const script of ['.ci/audit', '.ci/sbom']) {
    accessSync(fromRoot(script), constants.X_OK)
    expect(read('.ci/run')).toContain(script)
  }
})

test('the workflow may read the repository and nothing else', () => {
  expect(workflow.permissions).toEqual({ contents: 'read' })
  expect(workflow.jobs.ci).not.toHaveProperty('permissions')
})

test('the workflow runs the oldest Node that we say we run on', () => {
  const oldest = /^\D*(\d+)/.exec(manifestOf('').engines?.['node'] ?? '')?.[1]
  expect(workflow.jobs.ci.strategy.matrix.node[0]).toBe(Number(oldest))
})
