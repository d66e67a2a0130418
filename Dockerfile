# One image for all processes; the command says which.
FROM node:22-slim AS build
WORKDIR /app
COPY . .
# Prisma's command line is an optional peer of its client: without the second flag it would stay, with 370 MB.
RUN npm ci && npm run build && npm prune --omit=dev --omit=optional

FROM node:22-slim
# A stack trace names the line of the TypeScript, whichever command runs.
ENV NODE_ENV=production HOST=0.0.0.0 NODE_OPTIONS=--enable-source-maps
WORKDIR /app
COPY --from=build /app ./
# Shown by clerk_mirror_build_info: docker build --build-arg COMMIT=$(git rev-parse HEAD)
ARG COMMIT=unknown
RUN echo "$COMMIT" > COMMIT
USER node
EXPOSE 8080
CMD ["node", "apps/ingest/dist/main.js"]

# Whether the process lives, whichever it is: an unreachable database is no reason to restart it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "--eval", "\
  const { HOST, PORT, INGEST_PORT, WORKER_PORT, CONSOLE_PORT, PROFILES_PORT } = process.env; \
  const loopbacks = { '0.0.0.0': '127.0.0.1', '::': '::1' }; \
  const host = loopbacks[HOST] || HOST || '127.0.0.1'; \
  const address = host.includes(':') ? `[${host}]` : host; \
  const ports = [INGEST_PORT || PORT || 8080, WORKER_PORT || 8081, CONSOLE_PORT || 8082, PROFILES_PORT || 8083]; \
  const alive = async (port) => { if (!(await fetch(`http://${address}:${port}/livez`)).ok) throw port }; \
  Promise.any(ports.map(alive)).catch(() => process.exit(1))"]
