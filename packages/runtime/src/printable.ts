/**
 * Characters that command a terminal, or make a line look like another: control characters (line breaks, escape
 * sequences, their one-character forms above 0x7f), the separators of lines and paragraphs, and changes of the writing
 * direction.
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/**
 * A text on one line, with those characters escaped as `\u001b`: text from outside may hold anything. JSON stays
 * equivalent, because JSON may escape them the same way.
 */
export const printable = (text: string, instead: (character: string) => string = escaped): string =>
  text.replace(UNPRINTABLE, instead)
