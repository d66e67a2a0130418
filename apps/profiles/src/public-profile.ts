import type { OwnProfile, Profile, ProfileSummary } from '@clerk-mirror/mirror'
import { httpsUrl } from './parse-edit.js'

/** As the API gives it and the pages show it: every address is one that may stand in a link. */
export type PublicBlock = { type: number; label: string; url: string }
export type PublicSummary = ProfileSummary
export type PublicProfile = PublicSummary & { blocks: PublicBlock[] }

export const publicSummary = ({ username, displayName, tagline, imgUrl }: ProfileSummary): PublicSummary => ({
  username,
  displayName,
  tagline,
  imgUrl: httpsUrl(imgUrl),
})

export const publicProfile = (profile: Profile): PublicProfile => ({
  ...publicSummary(profile),
  blocks: publicBlocks(profile),
})

export const ownView = ({ imgUrl, blocks, ...rest }: OwnProfile) => ({
  ...rest,
  imgUrl: httpsUrl(imgUrl),
  blocks: publicBlocks({ blocks }),
})

/** Others than our editor may write the table; a link that we would not have taken is left out. */
const publicBlocks = ({ blocks }: Pick<Profile, 'blocks'>): PublicBlock[] =>
  blocks.flatMap(({ type, label, url }) => {
    const href = httpsUrl(url)
    return href === null ? [] : [{ type, label: label ?? '', url: href }]
  })
