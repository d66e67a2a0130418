import { expect, test } from 'vitest'
import { table, withPart } from './markdown.js'
import { fromRoot, read } from './tree.js'

const DOCUMENT = 'docs/schema.md'

const MODEL = /((?:^\/\/\/.*\n)*)^model \w+ \{\n([^}]*)^\}/gm
const FIELD = /((?:^ *\/\/\/.*\n)*)^ {2}(\w+) +(\w+)(\?|\[\])? *(.*)$/gm
const INDEX = /^ {2}@@(index|unique)\(\[([^\]]*)\]\)/gm

type Field = { column: string; type: string; isNullable: boolean; key: string; byDefault: string; doc: string }
type Model = { table: string; doc: string; fields: Map<string, Field>; indexes: string[] }

const TYPES: Readonly<Record<string, string>> = { BigInt: 'bigint', Int: 'int', Boolean: 'boolean' }

/**
 * The server's name of a column's type: of `@db.VarChar(64)` where there is such a mark, of Prisma's type elsewhere.
 */
function typeOf(type: string, attributes: string): string {
  const native = /@db\.(\w+(?:\(\d+\))?)/.exec(attributes)?.[1]?.toLowerCase() ?? TYPES[type]
  if (native === undefined) throw new Error(`no column type is known for ${type} ${attributes}`)
  return native
}

const sentence = (comment: string) =>
  comment
    .replaceAll(/^ *\/\/\/ ?/gm, '')
    .replaceAll('\n', ' ')
    .trim()

function keyOf(attributes: string): string {
  if (attributes.includes('@id')) return 'primary'
  return attributes.includes('@unique') ? 'unique' : ''
}

function defaultOf(attributes: string): string {
  const value = /@default\(((?:[^()]|\(\))*)\)/.exec(attributes)?.[1] ?? ''
  return value === 'autoincrement()' ? 'auto-increment' : value
}

/** Relations and lists are fields of Prisma's and no columns. */
const isColumn = (mark: string, attributes: string) => mark !== '[]' && !attributes.includes('@relation')

function modelOf([, doc = '', body = '']: RegExpExecArray): Model {
  const fields = [...body.matchAll(FIELD)].flatMap(([, comment = '', name = '', type = '', mark = '', rest = '']) => {
    if (!isColumn(mark, rest)) return []
    const column = /@map\("(\w+)"\)/.exec(rest)?.[1] ?? name
    const [isNullable, key, byDefault] = [mark === '?', keyOf(rest), defaultOf(rest)]
    return [[name, { column, type: typeOf(type, rest), isNullable, key, byDefault, doc: sentence(comment) }] as const]
  })
  const columns = new Map(fields)
  const indexes = [...body.matchAll(INDEX)].map(([, kind, names = '']) => {
    const inOrder = names.split(', ').map((name) => columns.get(name)?.column ?? name)
    return `${kind === 'unique' ? 'unique ' : ''}(\`${inOrder.join('`, `')}\`)`
  })
  return { table: /@@map\("(\w+)"\)/.exec(body)?.[1] ?? '', doc: sentence(doc), fields: columns, indexes }
}

const models = [...read('prisma/schema.prisma').matchAll(MODEL)].map(modelOf)

const sectionOf = ({ table: name, doc, fields, indexes }: Model) =>
  [
    `### ${name}`,
    ...(doc === '' ? [] : [doc]),
    table(
      ['column', 'type', 'null', 'key', 'default', 'note'],
      [...fields.values()].map(({ column, type, isNullable, key, byDefault, doc: note }) => {
        return [`\`${column}\``, type, isNullable ? 'yes' : 'no', key, byDefault, note]
      }),
    ),
    ...(indexes.length === 0 ? [] : [`Indexes: ${indexes.join(', ')}.`]),
  ].join('\n\n')

/** Rendered from prisma/schema.prisma and compared with the file; `npx vitest run --project repo -u` writes it. */
test('docs/schema.md has every table and column of prisma/schema.prisma', async () => {
  const expected = withPart(read(DOCUMENT), 'tables', models.map(sectionOf).join('\n\n'))
  await expect(expected).toMatchFileSnapshot(fromRoot(DOCUMENT))
})

test('every model and every field of prisma/schema.prisma was read', () => {
  const schema = read('prisma/schema.prisma')
  expect(models.length).toBe(schema.match(/^model /gm)?.length)
  expect(models.filter(({ table: name, fields }) => name === '' || fields.size === 0)).toEqual([])
  const columns = schema.match(/^ {2}\w+ +(?:String|BigInt|Int|Boolean|DateTime)\b/gm)
  expect(models.flatMap(({ fields }) => [...fields.keys()]).length).toBe(columns?.length)
})
