#!/bin/bash
# `make run`: a local Mosquitto (unless something answers on port 1883 already) and the bridge on config/bridge.json, until
# Ctrl-C. $1: the program.
set -euo pipefail
program=$1
export PARTNERS_SECRET=${PARTNERS_SECRET:-my_secret}
mkdir -p build/run

answers() { (exec 3<>/dev/tcp/127.0.0.1/1883) 2>/dev/null; }

if ! answers; then
    /usr/sbin/mosquitto -c config/mosquitto.conf &
    trap 'kill %1 2>/dev/null || true; wait' EXIT
    for _ in $(seq 100); do answers && break; sleep 0.1; done
fi
cat <<EOF

In a second terminal, watch what arrives:   mosquitto_sub -v -t 'partners/#'
In a third one, send signed events:         PARTNERS_SECRET=$PARTNERS_SECRET $program trigger -c config/bridge.json partners --all

EOF
# Not exec: the broker has to be stopped after the bridge.
trap '' INT
"$program" run -c config/bridge.json
