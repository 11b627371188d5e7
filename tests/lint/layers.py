#!/usr/bin/python3
"""Holds bridge/ and common/ to bridge/LAYERS. Prints each fault as file:line: what is wrong; exit 1 if there is any.

A module is a folder of bridge/, or a loose file there, and must be listed. An include points to a lower level or into the
module itself; into another folder only to a face. A library belongs to the modules named for it. A folder has its face;
any other header is a second face, internal.h, or that of the files with its name (rows.h, rows_source.c). A file's name does not repeat its folder's.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


class Layers:
    """What bridge/LAYERS says."""

    def __init__(self, text):
        self.levels = {}  # module -> level
        self.faces = {}  # header, below bridge/ -> who may include it; [] is everyone
        self.libraries = {}  # beginning of a library's header -> modules
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            words, _, names = line.partition(":")
            if line.startswith("lib "):
                self.libraries[words.split()[1]] = names.split()
            elif line.startswith("face "):
                self.faces[words.split()[1]] = names.split()
            else:
                level, *modules = re.split(r"\s{2,}", line.strip())[0].split()
                self.levels.update({module: int(level) for module in modules})

    def may_see(self, module, header):
        """Is the header of another module there for this one?"""
        path = pathlib.PurePath(header)
        if path.parts[0] == "common" or len(path.parts) == 2:
            return True
        if path.stem == path.parent.name:
            return True
        users = self.faces.get(str(path.relative_to("bridge")))
        return users is not None and (not users or module in users)


def module_of(path):
    """bridge/store/sync.c belongs to store, bridge/event.c to event, common/buf.c to common."""
    parts = pathlib.PurePath(path).parts
    if parts[0] == "common":
        return "common"
    return "/".join(parts[1:-1]) or pathlib.PurePath(path).stem


def check_include(layers, own, header, exists):
    if header.split("/")[0] not in ("bridge", "common") or not exists:
        return f"{header} is no header of bridge/ or common/"
    other = module_of(header)
    if other == own:
        return None
    if other not in layers.levels:
        return f"{header} belongs to no module of bridge/LAYERS"
    if layers.levels[other] >= layers.levels[own]:
        return f"{own} (level {layers.levels[own]}) may not include {other} (level {layers.levels[other]})"
    if not layers.may_see(own, header):
        return f"{own} may not include {header}: it is no face of {other}"
    return None


def check_library(layers, own, header):
    for library, modules in layers.libraries.items():
        if header.startswith(library) and own not in modules:
            return f"only {', '.join(modules)} may include <{header}>"
    return None


def check_file(root, path, layers):
    own = module_of(path)
    if own not in layers.levels:
        yield 1, "belongs to no module of bridge/LAYERS"
        return
    if path.stem.startswith(path.parent.name + "_"):
        yield 1, "repeats the name of its folder"
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        ours, theirs = match.groups()
        fault = check_include(layers, own, ours, (root / ours).exists()) if ours else check_library(layers, own, theirs)
        if fault:
            yield number, fault


def check_headers(folder, names, layers):
    """names: of the files in a folder of bridge/."""
    face = f"{folder.name}.h"
    if face not in names:
        yield folder, f"has no face, {face}"
    for name in sorted(names):
        path = folder / name
        is_face = name == face or str(path.relative_to("bridge")) in layers.faces
        files = [other for other in names if re.fullmatch(rf"{re.escape(path.stem)}(_\w+)?\.c", other)]
        if name.endswith(".h") and not is_face and name != "internal.h" and not files:
            yield path, f"is neither a face nor internal.h, and there is no {path.stem}.c"


def check_tree(root):
    layers = Layers((root / "bridge/LAYERS").read_text())
    files = sorted(p.relative_to(root) for d in ("bridge", "common") for p in (root / d).rglob("*.[ch]"))
    for folder in sorted({path.parent for path in files if len(path.parts) > 2}):
        for path, text in check_headers(folder, {p.name for p in files if p.parent == folder}, layers):
            yield f"{path}:1: {text}"
    for path in files:
        for number, text in check_file(root, path, layers):
            yield f"{path}:{number}: {text}"


def main():
    faults = list(check_tree(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    print("\n".join(faults) if faults else "layers: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
