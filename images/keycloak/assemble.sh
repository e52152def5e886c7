#!/bin/sh
# Puts our mappers into Keycloak's distribution and applies the options that are fixed when it is built.
# Usage: assemble.sh <distribution> <mappers' source> <target>
set -eu
distribution=$1 source=$2 target=$3

cp -a "$distribution" "$target"
classes=$(mktemp -d)
javac --release 17 -Werror -cp "$target/lib/lib/main/*" -d "$classes" "$source"/src/eu/panosc/login/*.java
jar --create --file "$target/providers/panosc-login.jar" -C "$classes" . -C "$source" META-INF
rm -r "$classes"
# At its start, Keycloak compares this time with that of the build; archives of images keep whole seconds only.
touch --date=@0 "$target/providers/panosc-login.jar"
# Who acts as somebody else would see their data, and the audit log would name the wrong one.
"$target/bin/kc.sh" build --db=postgres --health-enabled=true --metrics-enabled=true \
  --features-disabled=impersonation
