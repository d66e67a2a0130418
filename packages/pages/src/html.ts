/** Markup that is safe to send. Only `html` makes it, so nothing becomes markup by being put into a page. */
export class Html {
  readonly #markup: string

  private constructor(markup: string) {
    this.#markup = markup
  }

  static of(parts: readonly string[], values: readonly Content[]): Html {
    return new Html(parts.map((part, index) => (index === 0 ? part : render(values[index - 1]) + part)).join(''))
  }

  toString(): string {
    return this.#markup
  }
}

/** Content of a page; nothing is shown of `null`, `undefined` and `false`, so that `condition && html…` works. */
export type Content = Html | string | number | bigint | false | null | undefined | readonly Content[]

/**
 * A template of markup in which every value is escaped, unless it is markup itself. Attributes must be quoted:
 * `html\`<a href="${url}">${label}</a>\``. It does not judge addresses: check the scheme of a link before.
 */
export const html = (parts: TemplateStringsArray, ...values: Content[]): Html => Html.of(parts, values)

function render(value: Content): string {
  if (value === null || value === undefined || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'object') return value.map(render).join('')
  return String(value).replace(/[&<>"'`]/g, (character) => `&#${character.codePointAt(0)};`)
}
