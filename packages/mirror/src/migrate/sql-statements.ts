// Strings and names in quotes, comments, the end of a statement, and everything else a piece at a time.
const TOKEN =
  /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`|--(?=\s|$)[^\n]*|#[^\n]*|\/\*.*?\*\/|;|[^'"`;#/-]+|./gs

/** A comment that the server does not read as code: one that begins with `!` or `M!` is code. */
const COMMENT = /^(?:--|#|\/\*(?!M?!))/

/**
 * The statements of a script, without their semicolons, each with the comments before it. Pieces that hold nothing but
 * comments are left out. The client-side command DELIMITER is not known, as it is not to Prisma.
 */
export function splitStatements(script: string): string[] {
  const statements: string[] = []
  let text = ''
  let isCode = false
  const end = () => {
    if (isCode) statements.push(text.trim())
    text = ''
    isCode = false
  }
  for (const [token] of script.matchAll(TOKEN)) {
    if (token === ';') {
      end()
      continue
    }
    text += token
    isCode ||= token.trim() !== '' && !COMMENT.test(token)
  }
  end()
  return statements
}
