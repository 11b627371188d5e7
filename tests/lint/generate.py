#!/usr/bin/python3
"""Writes what comes from the settings table: the JSON Schema, and the table in README.md. $1: the program."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRST_LINE = "| setting | value | default | meaning |\n"


def say(*args):
    return subprocess.run([sys.argv[1], *args], capture_output=True, text=True, check=True).stdout


readme = (ROOT / "README.md").read_text()
before, table = readme.split(FIRST_LINE)
after = table[table.index("\n\n") :]
(ROOT / "README.md").write_text(before + say("help", "config").strip() + after)
(ROOT / "config/bridge.schema.json").write_text(say("help", "schema"))
