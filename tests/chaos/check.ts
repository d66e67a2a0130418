/** One thing that is asked; it failed when something was found. `as`: what is found counts among these in the totals. */
export type Check = { name: string; found: string[]; as?: 'lost' | 'wrong' | 'deadLetters' | 'untold' | 'invented' }
