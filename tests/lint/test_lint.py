"""The lint of the architecture, fed each kind of violation."""

import os
import pathlib
import shlex
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
LAYERS = """
# level  modules      what they are
0 common              primitives
1 event               a webhook
2 store               rows
3 outbox outbox/deep  the queue
4 main                the program

face store/writer.h: outbox
face store/reader.h
lib sqlite3.h: store
"""
FILES = {
    "common/buf.h": "",
    "bridge/event.h": '#include "common/buf.h"\n',
    "bridge/event.c": '#include "bridge/event.h"\n',
    "bridge/store/store.h": '#include "bridge/event.h"\n',
    "bridge/store/reader.h": "",
    "bridge/store/writer.h": "",
    "bridge/store/internal.h": "",
    "bridge/store/write.c": '#include "bridge/store/internal.h"\n#include "bridge/store/writer.h"\n#include <sqlite3.h>\n',
    "bridge/outbox/outbox.h": '#include "bridge/store/store.h"\n',
    "bridge/outbox/commit.c": '#include "bridge/outbox/outbox.h"\n#include "bridge/store/writer.h"\n#include <stdio.h>\n',
    "bridge/outbox/deep/deep.h": "",
    "bridge/main.c": '#include "bridge/outbox/outbox.h"\n#include "bridge/store/reader.h"\n',
}


def run(program, *args):
    done = subprocess.run([sys.executable, HERE / program, *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def tree(tmp_path):
    write(tmp_path, {"bridge/LAYERS": LAYERS, **FILES})
    return tmp_path


def test_a_tree_that_keeps_the_rules_passes(tree):
    assert run("layers.py", tree) == (0, "layers: ok\n")


VIOLATIONS = {
    "an include upwards": (
        "bridge/store/read.c",
        '#include "bridge/outbox/outbox.h"\n',
        "1: store (level 2) may not include outbox (level 3)",
    ),
    "an include of the same level": (
        "bridge/outbox/deep/a.c",
        '#include "bridge/outbox/outbox.h"\n',
        "1: outbox/deep (level 3) may not include outbox (level 3)",
    ),
    "another folder's internal header": (
        "bridge/outbox/peek.c",
        '\n#include "bridge/store/internal.h"\n',
        "2: outbox may not include bridge/store/internal.h: it is no face of store",
    ),
    "a second face that is for others": (
        "bridge/main.c",
        '#include "bridge/store/writer.h"\n',
        "1: main may not include bridge/store/writer.h: it is no face of store",
    ),
    "a library that belongs elsewhere": (
        "bridge/outbox/direct.c",
        "#include <sqlite3.h>\n",
        "1: only store may include <sqlite3.h>",
    ),
    "common that knows the bridge": (
        "common/clever.c",
        '#include "bridge/event.h"\n',
        "1: common (level 0) may not include event (level 1)",
    ),
    "a folder that is not listed": ("bridge/extra/extra.h", "", "1: belongs to no module of bridge/LAYERS"),
    "a loose file that is not listed": ("bridge/extra.c", "", "1: belongs to no module of bridge/LAYERS"),
    "a header that belongs to no file": (
        "bridge/store/rows.h",
        "",
        "1: is neither a face nor internal.h, and there is no rows.c",
    ),
    "a header that is not there": (
        "bridge/event.c",
        '#include "bridge/store/gone.h"\n',
        "1: bridge/store/gone.h is no header of bridge/ or common/",
    ),
    "a header without its folder": (
        "bridge/store/read.c",
        '#include "internal.h"\n',
        "1: internal.h is no header of bridge/ or common/",
    ),
    "a name that repeats its folder": ("bridge/store/store_read.c", "", "1: repeats the name of its folder"),
}


@pytest.mark.parametrize("kind", VIOLATIONS)
def test_a_violation_is_found(tree, kind):
    path, text, fault = VIOLATIONS[kind]
    write(tree, {path: text})
    assert run("layers.py", tree) == (1, f"{path}:{fault}\n")


def test_a_folder_without_a_face_is_found(tree):
    (tree / "bridge/outbox/deep/deep.h").rename(tree / "bridge/outbox/deep/internal.h")
    assert run("layers.py", tree) == (1, "bridge/outbox/deep:1: has no face, deep.h\n")


def test_a_header_may_belong_to_several_files_of_its_name(tree):
    write(tree, {"bridge/store/rows.h": "", "bridge/store/rows_dead.c": ""})
    assert run("layers.py", tree) == (0, "layers: ok\n")


def compile_all(root, files):
    write(root, files)
    for name in files:
        target = root / "obj" / pathlib.PurePath(name).with_suffix(".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-w", "-c", "-o", target, root / name], check=True)


def test_calls_down_a_folder_pass(tmp_path):
    compile_all(
        tmp_path,
        {
            "a/top.c": "int middle(void); int bottom(void); int top(void) { return middle() + bottom(); }",
            "a/middle.c": "int bottom(void); int middle(void) { return bottom(); }",
            "a/bottom.c": "int bottom(void) { return 0; }",
        },
    )
    assert run("calls.py", tmp_path / "obj", tmp_path) == (0, "calls: ok\n")


CIRCLES = {
    "calls": ("int two(void); int one(void) { return two(); }", "int one(void); int two(void) { return one(); }"),
    "a call and a pointer to a function": (
        "int two(void); int one(void) { return two(); }",
        "int one(void); int (*first)(void) = one; int two(void) { return 0; }",
    ),
    "a call and a variable": (
        "int two(void); int number; int one(void) { return two(); }",
        "extern int number; int two(void) { return number; }",
    ),
}


@pytest.mark.parametrize("kind", CIRCLES)
def test_a_circle_in_a_folder_is_found(tmp_path, kind):
    one, two = CIRCLES[kind]
    compile_all(tmp_path, {"a/one.c": one, "a/two.c": two})
    code, text = run("calls.py", tmp_path / "obj", tmp_path)
    assert code == 1 and text.startswith("a: circle: one.c -> two.c (two), two.c -> one.c (")


def test_a_circle_over_three_files_is_found(tmp_path):
    ring = {"a/%d.c" % i: "int f%d(void); int f%d(void) { return f%d(); }" % ((i + 1) % 3, i, (i + 1) % 3) for i in range(3)}
    compile_all(tmp_path, ring)
    code, text = run("calls.py", tmp_path / "obj", tmp_path)
    assert code == 1 and text == "a: circle: 0.c -> 1.c (f1), 1.c -> 2.c (f2), 2.c -> 0.c (f0)\n"


def test_files_of_two_folders_are_left_to_the_levels(tmp_path):
    one, two = CIRCLES["calls"]
    compile_all(tmp_path, {"a/one.c": one, "b/two.c": two})
    assert run("calls.py", tmp_path / "obj", tmp_path) == (0, "calls: ok\n")


def test_an_object_without_its_source_does_not_count(tmp_path):
    one, two = CIRCLES["calls"]
    compile_all(tmp_path, {"a/one.c": one, "a/two.c": two})
    (tmp_path / "a/two.c").unlink()
    assert run("calls.py", tmp_path / "obj", tmp_path) == (0, "calls: ok\n")
