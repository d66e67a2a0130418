/** The kinds of links. The numbers are stored, and those of the site that this project comes from. */
export const BLOCK_TYPES = {
  1: 'Twitter',
  2: 'Threads',
  3: 'Facebook',
  4: 'Instagram',
  5: 'Twitch',
  6: 'Discord',
  999: 'Custom',
} as const

export type BlockType = keyof typeof BLOCK_TYPES

export const CUSTOM: BlockType = 999

export const isBlockType = (value: unknown): value is BlockType =>
  typeof value === 'number' && Object.hasOwn(BLOCK_TYPES, value)
