#!/usr/bin/python3
"""Checks the configuration's JSON Schema, and sample configurations against it.

usage: check_schema.py [SCHEMA [SAMPLE...]]

Without arguments: config/bridge.schema.json and all samples below config/.

The schema must be valid draft 2020-12, describe every property, and allow no unknown one. Each sample,
its comments taken out, must satisfy it. Prints what is wrong and exits 1, or prints nothing and exits 0.
"""

import json
import pathlib
import re
import sys

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

CONFIG = pathlib.Path(__file__).resolve().parents[2] / "config"
STRING_OR_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


def without_comments(text):
    return STRING_OR_COMMENT.sub(lambda match: match.group(1) or " ", text)


def objects_of(schema, path="schema"):
    """Every object schema in it, with a path for people."""
    if isinstance(schema, dict):
        if "properties" in schema and "object" in schema.get("type", ""):
            yield path, schema
        for key, value in schema.items():
            yield from objects_of(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for i, value in enumerate(schema):
            yield from objects_of(value, f"{path}[{i}]")


def schema_faults(schema):
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield f"not valid draft 2020-12: {error.message}"
    if schema.get("$schema") != "https://json-schema.org/draft/2020-12/schema":
        yield "$schema does not name draft 2020-12"
    count = 0
    for path, obj in objects_of(schema):
        if obj.get("additionalProperties") is not False:
            yield f"{path}: allows unknown keys"
        for key, value in obj["properties"].items():
            count += 1
            if not value.get("description", "").strip():
                yield f"{path}.{key}: has no description"
            default = Draft202012Validator({**value, "$defs": schema.get("$defs", {})})
            if "default" in value:
                for error in default.iter_errors(value["default"]):
                    yield f"{path}.{key}: its own default: {error.message}"
    if count == 0:
        yield "describes no property at all"


def sample_faults(schema, text):
    try:
        sample = json.loads(without_comments(text))
    except ValueError as error:
        yield f"not JSON: {error}"
        return
    for error in Draft202012Validator(schema).iter_errors(sample):
        yield f"{error.json_path}: {error.message}"


def samples():
    return sorted(p for p in CONFIG.rglob("*.json") if not p.name.endswith(".schema.json"))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main(arguments):
    if not arguments:
        arguments = [CONFIG / "bridge.schema.json", *samples()]
    schema = json.loads(read(arguments[0]))
    faults = [f"{arguments[0]}: {fault}" for fault in schema_faults(schema)]
    for path in arguments[1:]:
        faults += [f"{path}: {fault}" for fault in sample_faults(schema, read(path))]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
