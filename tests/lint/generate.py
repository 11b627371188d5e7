#!/usr/bin/python3
"""Writes what comes from the settings table: the JSON Schema, and the table in config/README.md. $1: the program."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "config/README.md"
FIRST_LINE = "| setting | value | default | meaning |\n"


def printed(*args):
    return subprocess.run([sys.argv[1], *args], capture_output=True, text=True, check=True).stdout


# The table is the last thing on the page.
before = PAGE.read_text().split(FIRST_LINE)[0]
PAGE.write_text(before + printed("help", "config").strip() + "\n")
(ROOT / "config/bridge.schema.json").write_text(printed("help", "schema"))
