#!/bin/sh
# Starts the broker of docker-compose.yml: the passwords come from the environment, the broker keeps only their hashes.
set -eu
passwords=/mosquitto/data/passwords
umask 077
rm -f "$passwords"
mosquitto_passwd -b -c "$passwords" bridge "$BRIDGE_PASSWORD"
mosquitto_passwd -b "$passwords" reader "$READER_PASSWORD"
chown -R mosquitto:mosquitto /mosquitto/data
exec mosquitto -c /mosquitto/config/mosquitto.conf
