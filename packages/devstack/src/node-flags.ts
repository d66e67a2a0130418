/** Of every process of ours, as in package.json and the Dockerfile: a stack trace names the line of the TypeScript. */
export const NODE_FLAGS: readonly string[] = ['--enable-source-maps']
