import {
  type ApiObject,
  type ClerkApi,
  ClerkApiError,
  type ClerkApiOptions,
  openClerkApi,
  type Page,
} from '@clerk-mirror/clerk-api'
import { type ClerkStandIn, type ClerkStandInOptions, openClerkStandIn, type StandInKind } from '@clerk-mirror/devstack'
import { Secret } from '@clerk-mirror/runtime'

/** Times of creation in the stories begin here. */
export const EPOCH_MS = 1_700_000_000_000

/** As patient as the real one, in less time. */
const QUICK = { retryFirstMs: 1, retryMaxMs: 20, throttledFirstMs: 5, throttledMaxMs: 50 }

export type ClerkPair = AsyncDisposable & { clerk: ClerkStandIn; api: ClerkApi }

/** A stand-in of Clerk and a client of it, with no rate to speak of. */
export async function openClerkPair(
  options: Partial<ClerkApiOptions> = {},
  standIn: ClerkStandInOptions = {},
): Promise<ClerkPair> {
  const clerk = await openClerkStandIn({ allowance: { requests: 1_000_000, withinMs: 1_000 }, ...standIn })
  const api = clientOf(clerk, options)
  return {
    ...{ clerk, api },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]()
      await clerk[Symbol.asyncDispose]()
    },
  }
}

export function clientOf(clerk: ClerkStandIn, { retryPolicy, ...options }: Partial<ClerkApiOptions> = {}): ClerkApi {
  return openClerkApi({
    ...{ url: new URL(clerk.url), secretKey: new Secret(clerk.secretKey), requestsPerSecond: 100_000 },
    ...{ ...options, retryPolicy: { ...QUICK, ...retryPolicy } },
  })
}

/** The `n`th object of a kind, created at the `n`th second. */
export const nth = (kind: StandInKind, n: number, members: object = {}): { id: string } & object => ({
  ...{ id: idOf(kind, n), created_at: EPOCH_MS + n * 1_000, updated_at: EPOCH_MS + n * 1_000 + 5 },
  ...members,
})

export const idOf = (kind: StandInKind, n: number): string => `${kind}_${String(n).padStart(7, '0')}`

export function putMany(clerk: ClerkStandIn, kind: StandInKind, count: number, from = 0): void {
  for (let n = from; n < from + count; n += 1) clerk.put(kind, nth(kind, n))
}

export const idsOf = (pages: readonly Page[]): string[] => pages.flatMap(({ objects }) => objects.map(({ id }) => id))

export const textsOf = (objects: readonly ApiObject[]): string[] => objects.map(({ text }) => text)

/** The error that the work ends with. */
export async function apiErrorOf(work: Promise<unknown>): Promise<ClerkApiError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof ClerkApiError) return error
  throw new Error(`no ClerkApiError: ${error}`)
}
