"""
The documents: their fenced blocks, and what is to be done with each.

A block is run by its language: `sh` and `console` in a world of their own (lib/document_world.py), `json` and `jsonc`
by `hook2mqtt check`. A comment right before a block, which readers do not see, says more:

    <!-- test: in=bridge until="bridge is ready" -->   it goes on running in a terminal of that name; wait for this output
    <!-- test: then="watch: partners/project/" -->      afterwards, the terminal `watch` shows this
    <!-- test: shows="accepted" -->                     its own output has this
    <!-- test: after=config/x.md#first-steps -->        the commands of that section come first
    <!-- test: base=stripe -->                          a piece of a source of this provider
    <!-- test: by=tests/integration/test_x.py::test_y -->   not run here, but by that test
"""

import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)(`{3,})(\S*)\s*$")
MARK = re.compile(r"^ *<!-- test:(.*)-->$")
KEYS = {"in", "until", "then", "shows", "after", "base", "by"}


class Block:
    def __init__(self, page, line, section, language, text, marks):
        self.page, self.line, self.section = page, line, section
        self.language, self.text, self.marks = language, text, marks

    def __str__(self):
        return f"{self.page}:{self.line} ({self.language or 'no language'})"


def pages():
    """Every document of the project, as paths below its root."""
    found = (file.relative_to(ROOT) for file in ROOT.rglob("*.md"))
    return sorted(str(file) for file in found if file.parts[0] != "build" and not file.parts[0].startswith("."))


def blocks_of(page):
    found, section, marks, fence = [], None, {}, None
    start, lines = 0, []
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        fence_line = FENCE.match(line)
        if fence:
            if fence_line and fence_line[2] == fence[2] and not fence_line[3]:
                found.append(Block(page, start, section, fence[3], "\n".join(lines) + "\n", marks))
                fence, marks = None, {}
            else:
                lines.append(line.removeprefix(fence[1]))
        elif fence_line:
            fence, start, lines = fence_line, number, []
        elif mark := MARK.match(line):
            marks = dict(word.split("=", 1) for word in shlex.split(mark[1]))
            assert set(marks) <= KEYS, f"{page}:{number}: unknown mark in {line}"
        elif line.strip():
            assert not marks, f"{page}:{number}: a mark belongs right before a block"
            section = slug_of(line) or section
    assert not fence, f"{page}: a block does not end"
    return found


def without_blocks(page):
    """The text of a page, its fenced blocks and inline code blanked."""
    out, inside = [], False
    for line in (ROOT / page).read_text().splitlines():
        if FENCE.match(line):
            inside = not inside
            line = ""
        out.append("" if inside else re.sub(r"`[^`]*`", "`x`", line))
    return "\n".join(out)


def slug_of(line):
    """The anchor of a heading, as GitHub makes it; None for another line."""
    heading = re.match(r"#+ +(.*)", line)
    if not heading:
        return None
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors_of(page):
    """What #… can point to."""
    found = {}
    inside = False
    for line in (ROOT / page).read_text().splitlines():
        if FENCE.match(line):
            inside = not inside
        slug = None if inside else slug_of(line)
        if slug:
            found[slug] = found.get(slug, -1) + 1
    return {slug if i == 0 else f"{slug}-{i}" for slug, last in found.items() for i in range(last + 1)}


def links_of(page):
    """Relative links: (file below the root, anchor or None)."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        yield file, anchor or None
