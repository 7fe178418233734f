#!/bin/sh
# Makes the certificates of the fleet {{name}} with openssl: an authority, and one for each broker, node and person.
# What is there already stays. Written by fleetstep broker config.
# authority.key signs new members: keep it off the brokers and the gateways.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p certificates
cd certificates

[ -e authority.crt ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7300 \
  -keyout authority.key -out authority.crt -subj "/CN=Fleet {{name}}" 2>/dev/null

# NAME, purpose, alternative names
certificate() {
  [ ! -e "$1.crt" ] || return 0
  printf 'subjectAltName=%s\nextendedKeyUsage=%s\nbasicConstraints=CA:FALSE\n' "$3" "$2" > "$1.ext"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA authority.crt -CAkey authority.key -CAcreateserial -days 3650 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
  rm "$1.csr" "$1.ext"
}

{{brokers}}
for name in {{clients}}; do
  certificate "$name" {{purposes}} "DNS:$name"
done
