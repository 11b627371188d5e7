"""Retained topics: the state of each resource, and what the bridge says about itself."""

import datetime
import json

import pytest

from lib import events
from lib.bridge import STATE_TOPIC, source
from lib.subscriber import retained
from lib.wait import wait_until


STATE = "partners-state/project/" + events.GID
OWN = "hook2mqtt/hook2mqtt"
ONLINE, OFFLINE = {"state": "online"}, {"state": "offline"}
OLD, MIDDLE, NEW = (f"2026-01-31T{hour:02}:00:00+0000" for hour in (8, 9, 10))


@pytest.fixture
def bridge(start, broker):
    return start.bridge(broker, {"sources": source(state_topic=STATE_TOPIC)}).wait_connected()


def send(bridge, subscriber, body):
    """Posts it and waits until the broker has it."""
    one = bridge.accept(body)
    subscriber.wait(
        lambda: any(m.property("id") == one for m in subscriber.under("partners/")), one
    )
    # Both messages of an event are settled before it counts as delivered.
    bridge.wait_metric("outbox_undelivered_events", 0)
    return one


def state(broker):
    found = retained(broker, "partners-state/#").get(STATE)
    return found and found.payload


def test_the_newest_event_of_a_resource_is_retained_as_its_state(bridge, broker, subscriber):
    first, second = events.body(), events.body()
    send(bridge, subscriber, first)
    assert state(broker) == first
    send(bridge, subscriber, second)
    assert state(broker) == second
    assert [m.payload for m in subscriber.on(events.topic())] == [first, second]
    assert not retained(broker, "partners/#"), "the events themselves are not retained"


def test_each_resource_has_a_state_of_its_own(bridge, broker, subscriber):
    bodies = {gid: events.body(gid=gid) for gid in ("a", "b", "c")}
    for body in bodies.values():
        send(bridge, subscriber, body)
    found = retained(broker, "partners-state/#")
    assert {t.rsplit("/")[-1]: m.payload for t, m in found.items()} == bodies


def test_a_deletion_clears_the_state(bridge, broker, subscriber):
    send(bridge, subscriber, events.body())
    deletion = events.body(event=events.DELETED)
    send(bridge, subscriber, deletion)
    assert state(broker) is None
    assert subscriber.wait_for(events.topic(event=events.DELETED))[0].payload == deletion
    assert subscriber.wait_for(STATE, 2)[1].payload == b""


def test_a_resource_that_comes_back_has_a_state_again(bridge, broker, subscriber):
    send(bridge, subscriber, events.body(modified_at=OLD))
    send(bridge, subscriber, events.body(event=events.DELETED))  # says no time
    again = events.body(event=events.CREATED, modified_at=MIDDLE)
    send(bridge, subscriber, again)
    assert state(broker) == again


def test_an_older_event_does_not_overwrite_a_newer_state(bridge, broker, subscriber):
    new, old = events.body(modified_at=NEW), events.body(modified_at=OLD)
    send(bridge, subscriber, new)
    send(bridge, subscriber, old)
    assert state(broker) == new
    assert [m.payload for m in subscriber.on(events.topic())] == [new, old], "both are events"
    bridge.wait_metric("state_skipped_total", 1)


def test_times_are_compared_as_times_not_as_text(bridge, broker, subscriber):
    new = events.body(modified_at="2026-01-31T09:00:00Z")
    old = events.body(modified_at="2026-01-31T10:30:00.5+02:00")
    send(bridge, subscriber, new)
    send(bridge, subscriber, old)
    assert state(broker) == new


TIMES = [
    "2016-08-12 15:23:28 UTC", "2016-08-12 15:23:28 +0000", "2016-08-12T15:23Z", "2016-08-12T15:23:28.123456789Z",
    "Fri, 12 Aug 2016 15:23:28 +0000", "2016-08-12", "2016-08-12t15:23:28,5z", "1471015408", "1471015408123456",
    1471015408, 1471015408123, 1471015408123456, 1471015408123456789,
]


@pytest.mark.parametrize("time", TIMES, ids=str)
def test_a_time_in_any_usual_form_is_read(start, broker, subscriber, time):
    bridge = start.bridge(broker, {"sources": source(state_topic=STATE_TOPIC)}).wait_connected()
    new, old = events.body(modified_at="2016-08-13"), events.body(modified_at=time)
    older = events.body(modified_at="2016-08-11T23:59:59Z")
    for body in (old, older):
        send(bridge, subscriber, body)
        assert state(broker) == old
    for body in (new, old):
        send(bridge, subscriber, body)
        assert state(broker) == new
    assert bridge.metrics().value("unreadable_times_total", source="partners") == 0


def test_a_time_that_cannot_be_read_is_counted_and_warned_of(bridge):
    for _ in range(3):
        bridge.accept(events.body(modified_at="08/12/2016"))
    assert bridge.metrics().value("unreadable_times_total", source="partners") == 3
    [line] = bridge.lines("event time not understood; the order of arrival decides about states")
    assert line["source"] == "partners" and line["level"] == "warn"


def test_an_event_of_the_same_time_does_overwrite(bridge, broker, subscriber):
    send(bridge, subscriber, events.body(modified_at=NEW))
    second = events.body(modified_at=NEW)
    send(bridge, subscriber, second)
    assert state(broker) == second


def test_the_guard_survives_a_restart(bridge, broker, subscriber):
    new = events.body(modified_at=NEW)
    send(bridge, subscriber, new)
    bridge.restart().wait_connected()
    send(bridge, subscriber, events.body(modified_at=OLD))
    assert state(broker) == new


def test_the_guard_survives_a_crash(bridge, broker, subscriber):
    new = events.body(modified_at=NEW)
    send(bridge, subscriber, new)
    bridge.kill()
    bridge.start().wait_connected()
    send(bridge, subscriber, events.body(modified_at=OLD))
    assert state(broker) == new


def test_the_guard_outlives_the_kept_rows(start, broker, subscriber):
    config = {"sources": source(state_topic=STATE_TOPIC), "outbox": {"keep_delivered": "0s"}}
    bridge = start.bridge(broker, config).wait_connected()
    new = events.body(modified_at=NEW)
    send(bridge, subscriber, new)
    for i in range(20):
        send(bridge, subscriber, events.body(gid=f"other{i}"))
    bridge.restart().wait_connected()
    send(bridge, subscriber, events.body(modified_at=OLD))
    assert state(broker) == new


def test_an_older_event_does_not_bring_a_deleted_resource_back(bridge, broker, subscriber):
    send(bridge, subscriber, events.body(modified_at=NEW))
    send(bridge, subscriber, events.body(event=events.DELETED))
    send(bridge, subscriber, events.body(modified_at=OLD))
    assert state(broker) is None


def ahead(**delta):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(**delta)).isoformat()


def test_a_time_in_the_future_counts_as_the_receipt_and_freezes_nothing(bridge, broker, subscriber):
    for far in ("2099-01-01T00:00:00Z", ahead(minutes=11)):
        send(bridge, subscriber, events.body(modified_at=far))
    now = events.body(modified_at=ahead(seconds=1))
    send(bridge, subscriber, now)
    assert state(broker) == now
    assert bridge.metrics().value("future_times_total", source="partners") == 2
    [line] = bridge.lines("event time is in the future; the time of receipt counts")
    assert line["source"] == "partners" and line["level"] == "warn"


def test_a_clock_that_is_a_little_ahead_is_believed(bridge, broker, subscriber):
    new, old = events.body(modified_at=ahead(minutes=9)), events.body(modified_at=ahead(minutes=8))
    send(bridge, subscriber, new)
    send(bridge, subscriber, old)
    assert state(broker) == new
    assert bridge.metrics().value("future_times_total", source="partners") == 0


def test_events_without_a_time_are_ordered_by_acceptance(bridge, broker, subscriber):
    """Whatever the host's clock says, and beside events that have one."""
    for time in (NEW, None, ahead(minutes=5), None, None):
        body = events.body(modified_at=time)
        send(bridge, subscriber, body)
        assert state(broker) == body
    late = events.body(modified_at=ahead(minutes=4))
    send(bridge, subscriber, late)
    assert state(broker) == body, "older than one of those before it"


def states(bridge, *args):
    listed = bridge.cli("state", "ls", "--json", *args).stdout
    return {row["topic"]: row for row in map(json.loads, listed.splitlines())}


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_state_is_listed_and_forgotten(bridge, broker, subscriber, running):
    first, other = events.body(modified_at=NEW), events.body(gid="other", modified_at=NEW)
    send(bridge, subscriber, first)
    send(bridge, subscriber, other)
    if not running:
        bridge.stop()
    rows = states(bridge)
    assert sorted(rows) == sorted([STATE, "partners-state/project/other"])
    row = rows[STATE]
    assert row["event_at"] == "2026-01-31T10:00:00.000Z" and row["received_at"]
    assert (row["source"], row["event"], row["bytes"], row["cleared"]) == (
        "partners", "resource.updated", len(first), False,
    )
    assert STATE in bridge.cli("state", "ls", "--source", "partners").stdout.decode()
    assert not states(bridge, "--source", "nobody")
    assert bridge.cli("state", "forget", STATE).stdout == b"forgot 1\n"
    done = bridge.cli("state", "forget", STATE, expect=1)
    assert done.stdout == b"forgot 0, skipped 1: no state is known at this topic\n"
    assert list(states(bridge)) == ["partners-state/project/other"]
    if not running:
        bridge.start().wait_connected()
    assert state(broker) == first, "what is retained stays"
    old = events.body(modified_at=OLD)
    send(bridge, subscriber, old)
    assert state(broker) == old
    send(bridge, subscriber, events.body(gid="other", modified_at=OLD))
    assert retained(broker, "partners-state/#")["partners-state/project/other"].payload == other


def test_many_states_are_forgotten_at_once(start):
    count = 1200
    sources = [*source(state_topic=STATE_TOPIC), {**source()[0], "name": "b", "path": "/b", "state_topic": "b/{gid}"}]
    bridge = start.bridge(None, {"sources": sources})
    connection = bridge.connect()
    for i in range(count):
        bridge.accept(events.body(gid=f"g{i}"), connection=connection)
    bridge.accept(events.body(gid="b"), path="/b")
    assert len(states(bridge)) == count + 1
    assert bridge.cli("state", "forget", "--source", "partners", "--json").stdout == (
        b'{"done":%d,"skipped":0,"why":null}\n' % count
    )
    assert list(states(bridge)) == ["b/b"]
    bridge.stop()
    bridge.cli("state", "forget", "--all")
    assert not states(bridge)
    for args in ((), ("--all", "a"), ("--source", "b", "--all")):
        assert bridge.cli("state", "forget", *args, expect=2).stderr


def test_a_state_that_a_deletion_cleared_is_known_as_long_as_a_retry_may_come(start, broker, subscriber):
    sources = source(state_topic=STATE_TOPIC, dedupe_window="2s")
    bridge = start.bridge(broker, {"sources": sources}).wait_connected()
    send(bridge, subscriber, events.body(modified_at=NEW))
    send(bridge, subscriber, events.body(event=events.DELETED))
    send(bridge, subscriber, events.body(gid="stays", modified_at=NEW))
    assert states(bridge)[STATE]["cleared"]
    send(bridge, subscriber, events.body(modified_at=OLD))
    assert state(broker) is None
    wait_until(lambda: list(states(bridge)) == ["partners-state/project/stays"], "the state is gone")
    bridge.restart().wait_connected()
    again = events.body(modified_at=OLD)
    send(bridge, subscriber, again)
    assert state(broker) == again


def test_the_state_works_the_same_over_mqtt_3_1_1(start, broker, subscriber):
    config = {"mqtt": {"version": "3.1.1"}, "sources": source(state_topic=STATE_TOPIC)}
    bridge = start.bridge(broker, config)
    body = events.body()
    bridge.accept(body)
    assert subscriber.wait_for(STATE)[0].payload == body
    bridge.accept(events.body(event=events.DELETED))
    assert subscriber.wait_for(STATE, 2)[1].payload == b""
    assert state(broker) is None


def own(broker, part, prefix=OWN):
    found = retained(broker, f"{prefix}/#").get(f"{prefix}/{part}")
    return found and json.loads(found.payload)


def wait_own(subscriber, part, value, count=1, prefix=OWN):
    """Until `value` has been published count times."""
    topic = f"{prefix}/{part}"
    subscriber.wait(
        lambda: [json.loads(m.payload) for m in subscriber.on(topic)].count(value) >= count,
        f"{count} times {value} on {topic}",
    )


def test_the_bridge_says_that_it_is_online_and_offline_after_a_clean_stop(start, broker, subscriber):
    bridge = start.bridge(broker)
    wait_own(subscriber, "state", ONLINE)
    assert own(broker, "state") == ONLINE
    assert bridge.stop() == 0
    wait_own(subscriber, "state", OFFLINE)
    assert own(broker, "state") == OFFLINE
    assert "Client hook2mqtt disconnected." in broker.log_text(), "with a DISCONNECT, not by cutting"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_the_will_says_offline_when_the_bridge_is_killed(start, broker, subscriber, version):
    bridge = start.bridge(broker, {"mqtt": {"version": version}})
    wait_own(subscriber, "state", ONLINE)
    bridge.kill()
    wait_own(subscriber, "state", OFFLINE)
    assert own(broker, "state") == OFFLINE
    bridge.start()
    wait_own(subscriber, "state", ONLINE, 2)
    assert own(broker, "state") == ONLINE


def test_the_bridge_is_online_again_after_a_lost_connection(start, broker, subscriber):
    proxy = start.proxy(broker)
    bridge = start.bridge(proxy)
    wait_own(subscriber, "state", ONLINE)
    proxy.cut()
    wait_own(subscriber, "state", ONLINE, 2)
    assert own(broker, "state") == ONLINE
    bridge.wait_metric("broker_reconnects_total", 1)


def test_info_names_the_version_and_the_sources_without_secrets(start, broker, subscriber):
    bridge = start.bridge(broker)
    subscriber.wait_for(f"{OWN}/info")
    info = own(broker, "info")
    version = bridge.cli("version").stdout.decode().split()[-1]
    assert info["version"] == version
    assert [one["name"] for one in info["sources"]] == ["partners"]
    everything = b"".join(m.payload for m in subscriber.under("hook2mqtt/"))
    for secret in bridge.secrets:
        assert secret.encode() not in everything


def test_the_client_id_and_the_bridge_topic_can_be_chosen(start, broker, subscriber):
    config = {"mqtt": {"client_id": "bridge-7", "bridge_topic": "ops/bridges"}}
    bridge = start.bridge(broker, config)
    wait_own(subscriber, "state", ONLINE, prefix="ops/bridges/bridge-7")
    assert bridge.stop() == 0
    wait_own(subscriber, "state", OFFLINE, prefix="ops/bridges/bridge-7")
    assert not subscriber.under("hook2mqtt/")
    assert "as bridge-7 " in broker.log_text()
