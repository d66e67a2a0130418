import { expect, test } from 'vitest'
import { splitStatements } from '../../../packages/mirror/src/migrate/sql-statements.js'

test('statements end at semicolons, the last one also without', () => {
  expect(splitStatements('SELECT 1;\nSELECT 2 ;; SELECT 3')).toEqual(['SELECT 1', 'SELECT 2', 'SELECT 3'])
})

test.each([
  `INSERT INTO t VALUES ('a;b', "c;d", \`e;f\`)`,
  `INSERT INTO t VALUES ('it''s; here', 'it\\'s; there', '\\\\')`,
  'INSERT INTO t VALUES ("a"";""b", `c``;d`)',
  `SELECT 1 -- it's; a comment\n, 2`,
  'SELECT 1 # so "is; this\n, 2',
  `SELECT 1 /* and; it's\nthis; */, 2`,
  'SELECT 5--3',
  '/*!40101 SET @x = 1; */',
  'CREATE TABLE `a-b` (c INT)',
])('a semicolon inside of quotes or comments ends nothing: %s', (statement) => {
  expect(splitStatements(`${statement};\nSELECT 'next'`)).toEqual([statement, "SELECT 'next'"])
})

test('what holds only comments is no statement', () => {
  expect(splitStatements('-- head\n# more; \n/* and; more */;\n  ;\n-- tail')).toEqual([])
})

test('a comment stays with the statement that follows it', () => {
  expect(splitStatements('-- why\nSELECT 1;')).toEqual(['-- why\nSELECT 1'])
})
