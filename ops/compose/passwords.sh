#!/bin/sh
# Makes up the passwords that docker-compose.yml asks for and adds those that .env lacks: `sh ops/compose/passwords.sh`.
# MYSQL_ROOT_PASSWORD is set in MySQL at its first start. The others may be changed in .env at any time.
set -eu
umask 077
file=${1:-.env}
touch "$file"
# A last line that does not end would be continued.
[ -z "$(tail -c 1 "$file")" ] || echo >>"$file"
for name in MYSQL_ROOT MIGRATE INGEST WORKER CONSOLE PROFILES CLI; do
  grep -q "^${name}_PASSWORD=." "$file" && continue
  echo "${name}_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" >>"$file"
done
