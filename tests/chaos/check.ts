/** A check; it fails when it has findings. `as`: the findings count among these in the totals. */
export type Check = { name: string; found: string[]; as?: 'lost' | 'wrong' | 'deadLetters' | 'untold' | 'invented' }
