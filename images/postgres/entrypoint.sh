#!/bin/sh
# Makes the database cluster on first start, then runs the server in the foreground.
# Environment as in the official image: POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, PGDATA.
set -eu
umask 077

die() { echo "entrypoint: $1" >&2; exit 1; }

if [ "${1:-}" != postgres ]; then
  exec "$@"
fi

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    [ -r "$POSTGRES_PASSWORD_FILE" ] || die "POSTGRES_PASSWORD_FILE=$POSTGRES_PASSWORD_FILE cannot be read"
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  fi
  [ -n "${POSTGRES_PASSWORD:-}" ] || die "set POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD for the first start"

  # Made beside its place and moved there whole: a start cut off half-way begins again instead of half-existing.
  making=$PGDATA.making
  rm -rf "$making"
  mkdir -p "$(dirname "$PGDATA")"
  secret=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" > "$secret"
  initdb --pgdata="$making" --username="$user" --pwfile="$secret" --encoding=UTF8 --locale-provider=builtin \
    --builtin-locale=C.UTF-8 --locale=C.UTF-8 --auth-host=scram-sha-256 --auth-local=trust --data-checksums
  rm -f "$secret"
  echo "host all all all scram-sha-256" >> "$making/pg_hba.conf"
  if [ "$database" != postgres ]; then
    printf 'CREATE DATABASE "%s";\n' "$(printf %s "$database" | sed 's/"/""/g')" \
      | postgres --single -D "$making" -c listen_addresses= postgres >/dev/null
  fi
  rm -rf "$PGDATA"
  mv "$making" "$PGDATA"
fi
unset POSTGRES_PASSWORD

exec "$@" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp -c jit=off \
  -c log_destination=stderr -c logging_collector=off
