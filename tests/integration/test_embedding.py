"""Adding a provider is adding a file: what the build makes of a folder of presets."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("HOOK2MQTT_BUILD", "build")
ACME = """// Acme.
{
  "title": "Acme",
  "signature": {"scheme": "token", "header": "X-Acme"},
  "fields": {"event": "{body.kind}", "gid": "{body.id}"},
  "topic": "acme/{event}/{gid}",
  "samples": [{"event": "anvil.dropped", "body": {"kind": "@EVENT@", "id": "@GID@"}}],
  "sample_defaults": {"gid_form": "####"}
}
"""
# Loads a configuration, and prints the topic of its first source, and the names of all presets.
MAIN = """
#include <stdio.h>
#include "bridge/config/config.h"
int main(int argc, char **argv)
{
    struct config *config = NULL;
    struct config_faults faults = {0};

    if (argc != 2 || config_load(argv[1], &config, &faults) != ST_OK) {
        return 1;
    }
    puts(config->sources[0].topic);
    for (const struct provider_preset *preset = provider_presets; preset->name; preset++) {
        puts(preset->name);
    }
    config_destroy(config);
    config_faults_free(&faults);
    return 0;
}
"""


def run(*command, **options):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def embed(folder, out):
    """As the Makefile does it, from another folder of presets and into another one."""
    presets = " ".join(sorted(str(path) for path in folder.glob("*.json")))
    run("make", "-s", f"B={out}", f"PRESETS={presets}", str(out / "presets.c"))
    return out / "presets.c"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "presets"
    shutil.copytree(ROOT / "bridge/provider/presets", folder)
    return folder


@pytest.mark.skipif("san-" in str(BUILD), reason="its library needs the sanitizer's flags")
def test_a_file_that_is_added_is_a_provider_without_any_c(folder, tmp_path):
    names = sorted([*(path.stem for path in folder.glob("*.json")), "acme"])
    (folder / "acme.json").write_text(ACME)
    (tmp_path / "main.c").write_text(MAIN)
    (tmp_path / "config.json").write_text(
        '{"sources": [{"name": "a", "provider": "acme", "path": "/a", "secrets": ["hush"]}]}')
    generated = embed(folder, tmp_path / "out")
    run("cc", "-std=gnu17", "-I.", "-D_GNU_SOURCE", "-o", str(tmp_path / "main"), str(tmp_path / "main.c"),
        str(generated), str(BUILD / "libhook2mqtt.a"), "-ljson-c", "-lssl", "-lcrypto", "-lpthread")
    said = run(str(tmp_path / "main"), str(tmp_path / "config.json")).splitlines()
    assert said == ["acme/{event}/{gid}", *names]


def test_what_is_added_or_removed_changes_the_build_and_nothing_else_does(folder, tmp_path):
    generated = embed(folder, tmp_path / "out")
    before = generated.stat().st_mtime_ns, generated.read_text()
    embed(folder, tmp_path / "out")
    assert (generated.stat().st_mtime_ns, generated.read_text()) == before
    (folder / "acme.json").write_text(ACME)
    embed(folder, tmp_path / "out")
    assert '"acme"' in generated.read_text()
    (folder / "acme.json").unlink()
    embed(folder, tmp_path / "out")
    assert generated.read_text() == before[1]


def test_a_name_that_could_not_be_written_is_refused(tmp_path):
    done = subprocess.run([ROOT / "bridge/provider/embed.sh", tmp_path / "Not A Name.json"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and "a provider's name" in done.stderr
