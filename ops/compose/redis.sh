#!/bin/sh
# Starts Redis with the accounts of users.acl, for the passwords in the environment. In a file of this container's
# memory, and as hashes: the arguments of a process are there for everybody to read.
set -eu
umask 077
here=$(dirname "$0")
accounts=${ACL_FILE:-/tmp/users.acl}
hash() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
sed \
  -e "s/SHA256_OF_INGESTS_PASSWORD/$(hash "$INGEST_PASSWORD")/" \
  -e "s/SHA256_OF_WORKERS_PASSWORD/$(hash "$WORKER_PASSWORD")/" \
  -e "s/SHA256_OF_CONSOLES_PASSWORD/$(hash "$CONSOLE_PASSWORD")/" \
  -e "s/SHA256_OF_CLIS_PASSWORD/$(hash "$CLI_PASSWORD")/" \
  -e "s/{clerk-/{${QUEUE_NAMESPACE:-clerk}-/g" \
  "$here/users.acl" >"$accounts"
exec redis-server --aclfile "$accounts" "$@"
