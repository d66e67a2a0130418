#!/bin/sh
# Gives each process an account in MySQL, with the rights of docs/hardening.md and its password from the environment:
#
#   accounts.sh users     before the migrations
#   accounts.sh rights    after them: rights on a table can be given when the table is there
#
# Both may be run at any time, and are at each start: a changed password and the tables of a new release follow.
set -eu
here=$(dirname "$0")

sql() {
  MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --host="${MYSQL_HOST:-mysql}" --port="${MYSQL_PORT:-3306}" --user="${MYSQL_ROOT:-root}"
}

account() {
  case $2 in
  '' | *[!A-Za-z0-9]*)
    echo "the password of $1 must be made of letters and digits" >&2
    exit 1
    ;;
  esac
  echo "CREATE USER IF NOT EXISTS $1 IDENTIFIED BY '$2';"
  echo "ALTER USER $1 IDENTIFIED BY '$2';"
}

users() {
  echo "CREATE DATABASE IF NOT EXISTS clerk_mirror CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;"
  account clerk_mirror_migrate "$MIGRATE_PASSWORD"
  account clerk_mirror_worker "$WORKER_PASSWORD"
  account clerk_mirror_console "$CONSOLE_PASSWORD"
  account clerk_mirror_profiles "$PROFILES_PASSWORD"
  account clerk_mirror_cli "$CLI_PASSWORD"
  echo "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON clerk_mirror.* TO clerk_mirror_migrate;"
  # Everybody's account of earlier versions of docker-compose.yml.
  echo "DROP USER IF EXISTS clerk_mirror;"
}

case $1 in
users)
  # Whole, before any of it is run: a password that cannot be used must not leave half of the accounts.
  statements=$(users)
  echo "$statements" | sql
  ;;
rights) sql <"$here/grants.sql" ;;
esac
