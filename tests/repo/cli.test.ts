import { expect, test } from 'vitest'
import { COMMANDS, help, overview } from '../../apps/cli/src/run-command.js'
import { withPart } from './markdown.js'
import { fromRoot, read } from './tree.js'

const DOCUMENT = 'docs/cli.md'

const block = (lines: readonly string[]) => ['```text', ...lines, '```'].join('\n')

const helpOfAll = () =>
  [
    block(overview([])),
    ...Object.entries(COMMANDS).map(([name, command]) => `## ${name}\n\n${block(help(name, command))}`),
  ].join('\n\n')

/** Rendered from the commands and compared with the file; `npx vitest run --project repo -u` writes it. */
test('docs/cli.md has the help of every command as the CLI prints it', async () => {
  await expect(withPart(read(DOCUMENT), 'cli', helpOfAll())).toMatchFileSnapshot(fromRoot(DOCUMENT))
})
