import { expect, test } from 'vitest'
import { idList, type SqlValue, upsert } from '../../../packages/mirror/src/database/sql.js'

const users = (...rows: SqlValue[][]) =>
  upsert({ table: 'users', columns: ['clerk_id', 'username'], updates: ['username'], rows })

test('nothing that people wrote stands in the text of a statement, however harmless', () => {
  const { sql, values } = users(['user_1', 'ada'], ['user_2', "ada'"])
  expect(sql).not.toContain('ada')
  expect(values).toEqual(['ada', "ada'"])
})

test('an id stands in the text, and one that needs escaping does not', () => {
  const { sql, values } = users(['user_2abc-d.e', null], ["u'); DROP TABLE users; --", null], ['\\', null], ['', null])
  expect(sql).toContain("VALUES ('user_2abc-d.e',NULL),(?,NULL),(?,NULL),(?,NULL) ON")
  expect(values).toEqual(["u'); DROP TABLE users; --", '\\', ''])
})

test('a list of ids takes its parameters behind those that are there', () => {
  const values: SqlValue[] = ['applied']
  expect(idList(['msg_1', "msg_'", 'msg_2\n'], values)).toBe("'msg_1',?,?")
  expect(values).toEqual(['applied', "msg_'", 'msg_2\n'])
})
