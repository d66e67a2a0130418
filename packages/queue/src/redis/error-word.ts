/**
 * The word that identifies a Redis error: the first one, except in a script's error of Redis 6, where it follows the
 * "-".
 */
export const errorWord = (message: string): string =>
  /^ERR Error running script .*? -([A-Z]+) /.exec(message)?.[1] ?? message.split(' ', 1)[0] ?? ''
