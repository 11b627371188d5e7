"""An outbox that an older program wrote goes on in today's."""

import json
import pathlib
import sqlite3
import time

import pytest

from lib.bridge import STATE_TOPIC, source

FORMAT_1 = pathlib.Path(__file__).with_name("outbox_format_1.sql")


def body(gid, version, **resource):
    resource = {"gid": gid, "name": f"Project {gid}, version {version}", **resource}
    return json.dumps(
        {"event": "resource.updated", "resource_type": "project", "resource_gid": gid, "resource": resource}
    ).encode()


@pytest.fixture
def old(start):
    """A bridge with that outbox, received just now; not started."""
    bridge = start.bridge(None, {"sources": source(state_topic=STATE_TOPIC)}, start=False)
    db = sqlite3.connect(bridge.config["outbox"]["path"])
    db.execute("PRAGMA page_size=16384")
    db.executescript(FORMAT_1.read_text())
    now = time.time_ns() // 1_000_000
    later = now - db.execute("SELECT max(received_ms) FROM event").fetchone()[0]
    db.execute("UPDATE event SET received_ms = received_ms + ?", (later,))
    db.execute("UPDATE state SET event_ms = event_ms + ? WHERE topic GLOB '*/[cde]'", (later,))
    db.commit()
    db.close()
    return bridge


def test_its_events_are_there_and_its_repeats_are_known(old):
    old.start()
    rows = old.rows("outbox")
    assert sorted(row["gid"] for row in rows) == ["a", "b", "c", "d", "e"]
    assert len(old.rows("dead")) == 1
    first = next(row["id"] for row in rows if row["gid"] == "c")
    for _ in range(2):
        assert old.post(body("c", 1)).json() == {"status": "duplicate", "id": first}
        old.restart()
    old.accept(body("d", 2))  # what was dropped is new
    old.accept(body("d", 1))  # a change back


def test_its_states_are_known_and_none_is_frozen_any_more(old):
    old.start()
    listed = map(json.loads, old.cli("state", "ls", "--json").stdout.splitlines())
    states = {row["topic"][-1]: row for row in listed}
    assert sorted(states) == ["a", "b", "c", "d", "e"]
    assert states["a"]["event_at"] == "2026-01-31T10:00:00.000Z"
    assert states["b"]["event_at"] < "2090", "it said 2099"
    assert states["c"]["event_at"] is None and states["c"]["source"] == "partners"
    assert [gid for gid, row in states.items() if row["cleared"]] == ["e"]
    old.accept(body("a", 2, modified_at="2026-01-30T10:00:00+0000"))
    assert old.metrics().value("state_skipped_total") == 1


def test_who_only_reads_leaves_it_as_it_is(old):
    path = pathlib.Path(old.config["outbox"]["path"])
    before = path.read_bytes()
    done = old.cli("outbox", "ls", expect=1)
    assert b"its format is 1, of an older hook2mqtt" in done.stderr
    assert path.read_bytes() == before
