export const sorted = (values: readonly number[]): number[] => [...values].sort((one, other) => one - other)

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** The value that so large a share of the others does not exceed; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const inOrder = sorted(values)
  return inOrder[Math.min(inOrder.length - 1, Math.ceil(share * inOrder.length) - 1)] ?? inOrder[0] ?? 0
}

/** The median of the rounds' own ratios, with the least and the greatest of them. */
export type Ratio = { median: number; least: number; greatest: number }

export const ratioOf = (values: readonly number[]): Ratio => ({
  median: median(values),
  least: Math.min(...values),
  greatest: Math.max(...values),
})

/** Each round's subject beside the reference of the same round. */
export const ratio = (subject: readonly number[], reference: readonly number[]): Ratio =>
  ratioOf(subject.map((value, round) => value / (reference[round] ?? Number.NaN)))

export const thousands = (value: number): string => Math.round(value).toLocaleString('en-US')
