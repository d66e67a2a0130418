import { html } from '@clerk-mirror/pages'
import fc from 'fast-check'
import { expect, test } from 'vitest'

test('a value is text, in an element and in an attribute in quotes', () => {
  const evil = `"><script>alert('1')</script>&amp;`
  const escaped = '&#34;&#62;&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#38;amp;'
  expect(String(html`<p title="${evil}">${evil}</p>`)).toBe(`<p title="${escaped}">${escaped}</p>`)
})

test('markup stays markup, a list is its parts, and nothing is shown of nothing', () => {
  const items = ['a', 'b<'].map((each) => html`<li>${each}</li>`)
  expect(String(html`<ul>${items}</ul>${null}${undefined}${false}${0}${''}`)).toBe(
    '<ul><li>a</li><li>b&#60;</li></ul>0',
  )
})

test('no text becomes markup', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(String(html`${text}`)).not.toMatch(/[<>"'`]/)
    }),
  )
})
