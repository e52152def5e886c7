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

if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
  [ -r "$POSTGRES_PASSWORD_FILE" ] || die "POSTGRES_PASSWORD_FILE=$POSTGRES_PASSWORD_FILE cannot be read"
  POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
fi

# Doubles the quotation marks $1 in $2, as SQL wants them.
quoted() { printf %s "$2" | sed "s/$1/$1$1/g"; }

# Runs the SQL of the standard input on the cluster $1 before it listens. A failing statement isn't logged, as
# it may have the password in it. Not to be called in a pipe: only a child of this very process takes the lock
# file that a killed server left, which also had the process number 1, for what it is.
alone() { postgres --single -D "$1" -c listen_addresses= -c log_min_error_statement=panic postgres >/dev/null; }

if [ ! -s "$PGDATA/PG_VERSION" ]; then
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
    alone "$making" <<SQL
CREATE DATABASE "$(quoted '"' "$database")";
SQL
  fi
  rm -rf "$PGDATA"
  mv "$making" "$PGDATA"
elif [ -n "${POSTGRES_PASSWORD:-}" ]; then
  # The password may have been changed, or made anew because it was lost: what is given is what counts.
  alone "$PGDATA" <<SQL
ALTER ROLE "$(quoted '"' "$user")" PASSWORD '$(quoted "'" "$POSTGRES_PASSWORD")';
SQL
fi
unset POSTGRES_PASSWORD

exec "$@" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp -c jit=off \
  -c log_destination=stderr -c logging_collector=off
