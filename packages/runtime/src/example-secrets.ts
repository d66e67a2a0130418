/**
 * All placeholders of secrets in our documents, and the secrets of the examples in the vendors' documents: they are
 * public. A setting of a secret that holds one is refused. `tests/repo/example-secrets.test.ts` finds missing ones.
 */
export const EXAMPLE_SECRETS: readonly string[] = [
  'COPY_IT_FROM_THE_CLERK_DASHBOARD',
  'MAKE_ONE_WITH_OPENSSL_RAND',
  'MAKE_UP_A_LONG_ONE',
  'AND_ANOTHER_LONG_ONE',
  'SOME_LONG_RANDOM_TEXT',
  'MAKE_UP_A_PASSWORD',
  ':PASSWORD@',
  '/T000/B000/XXXX',
  // Svix' and the Standard Webhooks' own examples.
  'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  'C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
  'plJ3nmyCDGBKInavdOK15jsl',
]

/** @throws an Error that quotes nothing */
export function demandNoExample(raw: string): void {
  const text = raw.toLowerCase()
  if (!EXAMPLE_SECRETS.some((example) => text.includes(example.toLowerCase()))) return
  throw new Error('holds an example from the documents, which everybody can read: make one of your own')
}
