import fc from 'fast-check'

/** Inputs for each property; PROFILES_HOSTILE_RUNS asks for more. */
export const RUNS = Number(process.env['PROFILES_HOSTILE_RUNS'] ?? 150)

/** Texts that have broken pages, parsers and databases elsewhere. */
const INFAMOUS = [
  '"><script>alert(1)</script>',
  "'-alert(1)-'",
  '<img src=x onerror=alert(1)>',
  '" onmouseover="alert(1)" x="',
  '</title></style></textarea><svg onload=alert(1)>',
  '<!--',
  ']]>',
  '#{alert(1)}{{7*7}}',
  '&lt;b&gt;&#60;&#x3c;',
  "'; DROP TABLE users; -- ",
  '\\',
  '%00',
  '\0',
  '\u202e\u2066gpj.exe',
  '\ufeff\u200b\u00ad',
  '\ud800',
  'e\u0301'.repeat(100),
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  '\ufdfa'.repeat(60),
  'İıſKÅ',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  'x'.repeat(5000),
]

export const hostileText = fc.oneof(
  fc.constantFrom(...INFAMOUS),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ maxLength: 20 }),
  fc.tuple(fc.constantFrom(...INFAMOUS), fc.constantFrom(...INFAMOUS)).map((texts) => texts.join('')),
)

const hostileUrl = fc.oneof(
  hostileText,
  fc.webUrl(),
  hostileText.map((text) => `https://example.org/${text}`),
  hostileText.map((text) => `https://${text}`),
  hostileText.map((text) => `javascript:${text}`),
  hostileText.map((text) => `https://${text}@example.org/`),
)

const type = fc.oneof({ arbitrary: fc.constantFrom(1, 2, 3, 4, 5, 6, 999), weight: 8 }, fc.anything())
const sometimes = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ arbitrary, weight: 8 }, fc.jsonValue())

/** Bodies for `PUT /me`: from nearly right to hopeless. */
export const hostileBody = fc.oneof(
  {
    arbitrary: fc.record({
      tagline: sometimes(fc.option(hostileText)),
      blocks: sometimes(
        fc.array(
          fc.record({ type, label: sometimes(hostileText), url: hostileUrl }, { requiredKeys: ['type', 'url'] }),
          {
            maxLength: 6,
          },
        ),
      ),
    }),
    weight: 4,
  },
  {
    // Right in all but the texts, so that much of it is stored.
    arbitrary: fc.record({
      tagline: hostileText.map((text) => text.slice(0, 200)),
      blocks: fc.array(
        fc.record({
          type: fc.constantFrom(1, 6, 999),
          label: hostileText.map((text) => text.slice(0, 150)),
          url: hostileText.map((text) => `https://example.org/${encodeURIComponent(text.slice(0, 15).toWellFormed())}`),
        }),
        { maxLength: 4 },
      ),
    }),
    weight: 4,
  },
  fc.jsonValue(),
)

/** The end of a path or a query, as it goes over the wire. */
export const hostilePath = fc.oneof(
  hostileText.map((text) => encodeURIComponent(text.toWellFormed())),
  fc.constantFrom('%E0%A4%A', '%', '%00', '..', '%2e%2e%2f', '?', '?username=%FF', '//evil.example', '#', ';a=b', '*'),
  fc.webPath(),
  fc.webQueryParameters().map((query) => `?${query}`),
)

/** Tags and the names of their attributes, in order: the structure of a page without its texts. */
export function skeleton(page: string): string[] {
  const tag = /<(\/?[a-z0-9!]+)((?:\s+[a-z:-]+(?:="[^"<>]*")?)*)\s*\/?>/gi
  const rest = page.replaceAll(tag, '')
  if (/[<>]/.test(rest)) throw new Error(`the page has a < or > outside its tags: ${rest.slice(0, 500)}`)
  return [...page.matchAll(tag)].map(
    ([, name = '', attributes = '']) =>
      `${name} ${[...attributes.matchAll(/([a-z:-]+)(?:="[^"]*")?/gi)].map(([, attribute]) => attribute).join(' ')}`,
  )
}
