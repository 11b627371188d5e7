#!/usr/bin/python3
"""Holds the includes of bridge/ and common/ against bridge/LAYERS.

An include may only point to a lower level (or to the module's own files), a library belongs to the modules that are named
for it, and every file belongs to a module that is listed. Prints each fault as file:line: what is wrong; exit 1 if any.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def read_layers(path):
    levels, libraries = {}, {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("lib "):
            header, modules = line[4:].split(":")
            libraries[header.strip()] = modules.split()
            continue
        level, modules = int(line.split()[0]), re.split(r"\s{2,}", line.strip())[0].split()[1:]
        for module in modules:
            levels[module] = level
    return levels, libraries


def module_of(path, levels):
    """bridge/store_sync.c belongs to store, bridge/cli_outbox.c to cli: the longest listed name that it begins with."""
    if path.startswith("common/"):
        return "common/*"
    stem = pathlib.PurePath(path).stem
    fits = [m for m in levels if stem == m or stem.startswith(m + "_")]
    return max(fits, key=len, default=None)


def check_file(path, levels, libraries):
    own = module_of(path, levels)
    if own is None:
        yield 1, "belongs to no module of bridge/LAYERS"
        return
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        ours, theirs = match.groups()
        if ours:
            target = module_of(ours, levels)
            if target is None or not pathlib.Path(ours).exists():
                yield number, f"{ours} is not a module's header"
            elif target != own and levels[target] >= levels[own]:
                yield number, f"{own} (level {levels[own]}) may not include {target} (level {levels[target]})"
        else:
            for header, modules in libraries.items():
                if theirs.startswith(header) and own not in modules:
                    yield number, f"only {', '.join(modules)} may include <{theirs}>"


def main():
    levels, libraries = read_layers(pathlib.Path("bridge/LAYERS"))
    faults = [
        f"{path}:{number}: {text}"
        for path in sorted(str(p) for d in ("bridge", "common") for p in pathlib.Path(d).glob("*.[ch]"))
        for number, text in check_file(path, levels, libraries)
    ]
    print("\n".join(faults) if faults else "layers: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
