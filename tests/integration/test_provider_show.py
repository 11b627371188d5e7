"""`hook2mqtt provider show`, and what is shown, written by a user as a source of provider "custom"."""

import json

import pytest

from lib.bridge import ROOT
from lib.check_schema import without_comments
from lib.deliveries import PRESETS
from lib.posting import start_bridge
from lib.triggered import accepted_ids, listed

NAMES = sorted(path.stem for path in (ROOT / "bridge/provider/presets").glob("*.json"))


def shown(bridge, name):
    return bridge.cli("provider", "show", name).stdout.decode()


@pytest.fixture(scope="module")
def idle(start_for_module):
    return start_for_module.bridge(start=False)


@pytest.fixture(scope="module")
def bridge(start_for_module, module_broker, idle):
    """For each preset one source of it, and one of provider "custom" that has its keys."""
    sources = [preset.source() for preset in PRESETS.values()]
    customs = []
    for source in sources:
        own = {key: source[key] for key in ("secrets", "verify") if key in source}
        names = {"name": f"{source['name']}-custom", "provider": "custom", "path": f"/custom/{source['name']}"}
        customs.append({**json.loads(without_comments(shown(idle, source["provider"]))), **own, **names})
    return start_bridge(start_for_module, module_broker, sources + customs)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_shown_as_it_is_embedded(idle, name):
    assert shown(idle, name) == (ROOT / f"bridge/provider/presets/{name}.json").read_text()


@pytest.mark.parametrize("args, reason", [
    (["gitbub"], "provider show gitbub: no such preset, did you mean github? (there are "),
    (["nosuch"], "provider show nosuch: no such preset (there are "),
    ([], "provider show: a preset is missing; one of "),
])
def test_an_unknown_or_missing_name_is_answered_with_the_names(idle, args, reason):
    done = idle.cli("provider", "show", *args, expect=2)
    assert done.stdout == b""
    text = done.stderr.decode()
    assert text.startswith(f"hook2mqtt: {reason}{', '.join(NAMES)}"), text
    assert text.endswith("\nusage: hook2mqtt provider show NAME\n"), text


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_what_is_shown_works_as_a_source_of_provider_custom(bridge, preset):
    sources = {source["name"]: source for source in json.loads(bridge.config_file.read_text())["sources"]}
    custom = sources[f"{preset.source()['name']}-custom"]
    assert listed(bridge, custom) == listed(bridge, preset.source())
    url = f"http://{bridge.ingress[0]}:{bridge.ingress[1]}{custom['path']}"
    done = bridge.cli("trigger", preset.source()["name"], "--all", "--url", url)
    lines = done.stdout.decode().splitlines()
    assert len(accepted_ids(lines)) == len(listed(bridge, custom))
