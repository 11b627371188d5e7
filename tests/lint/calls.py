#!/usr/bin/python3
"""Finds circles of calls between the files of a folder, as the compiler's objects show them: a file that needs a function
or variable of another one leans on it. Prints a circle for each folder that has one; exit 1 if any has.

calls.py OBJECTS [ROOT]: OBJECTS/x/y.o is what ROOT/x/y.c was compiled to."""

import collections
import pathlib
import subprocess
import sys


def read_symbols(path):
    """What an object defines for others, and what it needs of others."""
    defined, needed = set(), set()
    lines = subprocess.run(["nm", "-g", path], capture_output=True, text=True, check=True).stdout.splitlines()
    for line in lines:
        kind, name = line.split()[-2:]
        (needed if kind in "Uwv" else defined).add(name)
    return defined, needed


def find_leans(objects):
    """file -> {file it leans on: a symbol that says so}"""
    symbols = {path: read_symbols(path) for path in objects}
    owner = {name: path for path, (defined, _) in symbols.items() for name in defined}
    leans = {path: {} for path in objects}
    for path, (_, needed) in symbols.items():
        for name in sorted(needed):
            if name in owner and owner[name] != path:
                leans[path].setdefault(owner[name], name)
    return leans


def find_circle(leans):
    """One circle as a list of files, the first one again at its end; None: there is none."""
    done, way = set(), []

    def visit(path):
        if path in way:
            return way[way.index(path) :] + [path]
        if path in done:
            return None
        way.append(path)
        for other in sorted(leans[path]):
            circle = visit(other)
            if circle:
                return circle
        way.pop()
        done.add(path)
        return None

    for path in sorted(leans):
        circle = visit(path)
        if circle:
            return circle
    return None


def check_folders(objects, root):
    folders = collections.defaultdict(list)
    for path in objects.rglob("*.o"):
        if (root / path.relative_to(objects).with_suffix(".c")).exists():
            folders[path.parent].append(path)
    for folder, files in sorted(folders.items()):
        leans = find_leans(files)
        circle = find_circle(leans)
        if circle:
            steps = (f"{a.stem}.c -> {b.stem}.c ({leans[a][b]})" for a, b in zip(circle, circle[1:]))
            yield f"{folder.relative_to(objects)}: circle: {', '.join(steps)}"


def main():
    objects, root = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ".")
    faults = list(check_folders(objects, root))
    print("\n".join(faults) if faults else "calls: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
