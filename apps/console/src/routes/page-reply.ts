import type { Html } from '@clerk-mirror/pages'
import { printable } from '@clerk-mirror/runtime'
import type { FastifyReply, FastifyRequest } from 'fastify'

export const pageReply = (reply: FastifyReply, page: Html): FastifyReply =>
  reply.type('text/html; charset=utf-8').send(markupOf(page))

/**
 * The page, in which no text from outside changes the writing direction of its neighbours or holds control characters:
 * these are shown escaped. Values of attributes, such as an id that a form sends back, stay as they are. Text between
 * two tags is found by their brackets, for no value holds any.
 */
export const markupOf = (page: Html): string =>
  String(page).replace(/>[^<]+/g, (shown) =>
    shown
      .split('\n')
      .map((line) => printable(line))
      .join('\n'),
  )

/** The part of the address after the question mark, names and all their values. */
export const queryOfRequest = (request: FastifyRequest): URLSearchParams =>
  new URLSearchParams(request.url.split('?').slice(1).join('?'))
