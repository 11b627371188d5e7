#!/bin/bash
# `make run`: a local Mosquitto (unless something answers on port 1883 already) and the bridge, until Ctrl-C.
# $1: the program, $2: the configuration.
set -euo pipefail
program=$1 config=$2
source=$(sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' "$config" | head -n 1)
export PARTNERS_SECRET=${PARTNERS_SECRET:-my_secret}
hint=
if [ "$config" = config/bridge.json ]; then hint="PARTNERS_SECRET=$PARTNERS_SECRET "; fi
mkdir -p build/run

answers() { (exec 3<>/dev/tcp/127.0.0.1/1883) 2>/dev/null; }

if ! answers; then
    PATH=$PATH:/usr/sbin mosquitto -c config/mosquitto.conf &
    trap 'kill %1 2>/dev/null || true; wait' EXIT
    for _ in $(seq 100); do answers && break; sleep 0.1; done
fi
cat <<EOF

In a second terminal, watch what arrives:   mosquitto_sub -v -t '#'
In a third one, send signed events:         $hint$program trigger -c $config $source --all

EOF
# Not exec: the broker has to be stopped after the bridge.
trap '' INT
"$program" run -c "$config"
