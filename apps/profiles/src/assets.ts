import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const FOLDER = new URL('../assets/', import.meta.url)
const TYPES = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', svg: 'image/svg+xml' } as const

export type AssetName = 'profiles.css' | 'edit.js' | 'icon.svg'
export type Asset = { path: string; type: string; content: Buffer }
export type Assets = Readonly<Record<AssetName, Asset>>

/**
 * The files that pages refer to. Each has a hash of its content in its path, so that browsers keep it for ever and
 * never show a page with yesterday's style.
 */
export const readAssets = (): Assets => ({
  'profiles.css': readAsset('profiles', 'css'),
  'edit.js': readAsset('edit', 'js'),
  'icon.svg': readAsset('icon', 'svg'),
})

function readAsset(name: string, extension: keyof typeof TYPES): Asset {
  const content = readFileSync(new URL(`${name}.${extension}`, FOLDER))
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 12)
  return { path: `/assets/${name}.${hash}.${extension}`, type: TYPES[extension], content }
}
