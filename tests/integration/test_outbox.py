"""The outbox: durable, bounded, in order, without repeats; and what an operator does with it by hand."""

import concurrent.futures
import json
import time

import pytest

from lib import events
from lib.bridge import PATH, is_sanitized, signed, source
from lib.http_client import request_bytes
from lib.wait import holds_for, wait_until

SMALL = {"outbox": {"max_size": "256KiB"}}


def fill(bridge, size=1000, limit=5000):
    """Posts until the answer is 503; returns what was accepted."""
    bodies = []
    with bridge.connect() as connection:
        while len(bodies) < limit:
            body = events.body(gid=f"f{len(bodies)}", pad="x" * size)
            answer = bridge.post(body, connection=connection)
            if answer.status == 503:
                assert int(answer.header("Retry-After")) >= 1
                return bodies
            assert answer.status == 200, answer
            bodies.append(body)
    raise AssertionError(f"{limit} events were taken")


# Durability


def test_what_was_answered_200_survives_a_kill(start, broker, subscriber):
    proxy = start.proxy(broker)
    proxy.refuse()
    bridge = start.bridge(proxy)
    bodies = [events.body(gid=f"k{i}") for i in range(50)]
    ids = [bridge.accept(body) for body in bodies]
    bridge.kill()
    bridge.start()
    assert [row["id"] for row in bridge.rows("outbox", "--undelivered")] == ids
    proxy.resume()
    arrived = subscriber.wait_under("partners/", 50)
    assert [m.payload for m in arrived] == bodies
    assert [m.property("id") for m in arrived] == ids


def test_a_kill_under_load_loses_nothing_that_was_answered(start, broker, subscriber):
    bridge = start.bridge(broker).wait_connected()
    accepted = {}

    def client(number):
        try:
            with bridge.connect() as connection:
                for i in range(100000):
                    body = events.body(gid=f"c{number}-{i}")
                    accepted[bridge.accept(body, connection=connection)] = body
        except Exception:  # whatever a killed peer looks like
            return

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client, number) for number in range(4)]
        wait_until(lambda: len(accepted) > 200, "load")
        bridge.kill()
        for one in clients:
            one.result()
    bridge.start()
    subscriber.wait(
        lambda: set(accepted) <= {m.property("id") for m in subscriber.under("partners/")},
        "everything that was answered",
    )
    by_id = {m.property("id"): m.payload for m in subscriber.under("partners/")}
    assert all(by_id[one] == body for one, body in accepted.items())


def test_what_is_already_delivered_is_not_sent_again_after_a_clean_restart(bridge, subscriber):
    for i in range(20):
        bridge.accept(events.body(gid=f"r{i}"))
    subscriber.wait_under("partners/", 20)
    bridge.restart().wait_connected()
    bridge.accept(events.body(gid="last"))
    subscriber.wait_for(events.topic("last"))
    assert len(subscriber.under("partners/")) == 21


def test_ids_rise_in_the_order_of_acceptance_across_a_restart(start):
    bridge = start.bridge(None)
    ids = [bridge.accept(events.body()) for _ in range(3)]
    bridge.restart()
    ids += [bridge.accept(events.body()) for _ in range(3)]
    assert [row["id"] for row in bridge.rows("outbox")] == ids
    # Version 7 identifiers sort by time, here with its millisecond.
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)


# Limits


def test_a_full_outbox_answers_503_and_takes_webhooks_again_once_there_is_room(start, broker):
    proxy = start.proxy(broker)
    proxy.refuse()
    bridge = start.bridge(proxy, SMALL)
    bodies = fill(bridge)
    assert len(bodies) > 50
    assert bridge.get("/readyz").status == 503
    assert bridge.metrics().value("outbox_full_total") >= 1
    assert bridge.metrics().value("rejected_total", reason="unavailable") >= 1
    subscriber = start.subscriber(broker)
    proxy.resume()
    wait_until(bridge.is_ready, "ready again")
    more = events.body(gid="more")
    wait_until(lambda: bridge.post(more).status == 200, "accepted again")
    arrived = [m.payload for m in subscriber.wait_under("partners/", len(bodies) + 1)]
    assert arrived == [*bodies, more], "nothing that was accepted is dropped to make room"


def test_it_is_not_ready_from_the_first_503_until_there_is_room_again(start, broker):
    proxy = start.proxy(broker)
    proxy.refuse()
    bridge = start.bridge(proxy, SMALL)
    # More than an ordinary event has room, but not a tenth of it all.
    bridge.accept(events.body(pad="x" * 240_000))
    assert bridge.get("/readyz").status == 200
    assert bridge.post(events.body(pad="x" * 60_000)).status == 503
    assert bridge.get("/readyz").status == 503
    bridge.accept(events.body())
    assert bridge.get("/readyz").status == 503
    proxy.resume()
    wait_until(bridge.is_ready, "ready again")


def test_bad_bodies_do_not_take_the_room_of_good_ones(start):
    bridge = start.bridge(None, SMALL)
    status, count = 202, 0
    while status == 202 and count < 100:
        status = bridge.post(b"no event %d " % count + b"x" * 10_000).status
        count += 1
    assert status == 503 and count > 10
    assert bridge.lines("dead letters full: bodies that make no event are refused until there is room")
    assert bridge.get("/readyz").status == 200
    assert len(fill(bridge)) > 50
    ids = [row["id"] for row in bridge.rows("dead")]
    assert len(ids) == count - 1
    bridge.cli("dead", "drop", *ids[:5])
    assert bridge.post(b"no event again").status == 202


def test_a_full_outbox_is_still_full_after_a_restart(start):
    bridge = start.bridge(None, SMALL)
    count = len(fill(bridge))
    assert bridge.stop() == 0
    bridge.start(ready=False)
    bridge.wait_log(lambda: bridge.lines("listening", listener="ingress"), "it listens")
    wait_until(lambda: bridge.get("/healthz").status == 200, "alive")
    assert bridge.get("/readyz").status == 503
    assert bridge.post(events.body(pad="x" * 1000)).status == 503
    assert bridge.metrics().value("outbox_undelivered_events") == count


def test_delivered_events_make_room_for_new_ones(bridge, start, broker, subscriber):
    """They are kept for repeats and replays, but never at the price of a 503."""
    small = start.bridge(broker, {**SMALL, "mqtt": {"client_id": "small"}}).wait_connected()
    sent = 0
    while sent < 1500:
        for _ in range(50):
            small.accept(events.body(gid=f"d{sent}", pad="x" * 1000))
            sent += 1
        small.wait_metric("outbox_undelivered_events", 0)
    assert small.metrics().value("outbox_stored_bytes") <= 256 * 1024
    assert small.metrics().value("outbox_full_total") == 0


def test_the_file_does_not_grow_with_what_passes_through(start, broker):
    config = {"outbox": {"max_size": "4MiB", "keep_delivered": "0s"}}
    bridge = start.bridge(broker, config).wait_connected()
    largest = 0
    for i in range(1500):
        if i % 50 == 0:
            bridge.wait_metric("outbox_undelivered_events", 0)
            files = bridge.folder.glob("outbox.db*")
            largest = max(largest, sum(path.stat().st_size for path in files))
        bridge.accept(events.body(gid=f"s{i}", pad="x" * 60000))
    # 90 MB have passed; the rest is the write-ahead log, which is cut at 32 MiB.
    assert largest < 60 << 20
    assert bridge.stop() == 0
    assert (bridge.folder / "outbox.db").stat().st_size < 20 << 20


def test_delivered_events_are_kept_for_a_while_and_then_removed(start, broker):
    bridge = start.bridge(broker).wait_connected()
    one = bridge.accept(events.body())
    bridge.wait_metric("outbox_undelivered_events", 0)
    assert [row["id"] for row in bridge.rows("outbox", "--delivered")] == [one]
    bridge.config["outbox"]["keep_delivered"] = "2s"
    bridge.write_config()
    bridge.restart()
    wait_until(lambda: bridge.rows("outbox") == [], "removed")
    bridge.wait_metric("outbox_stored_rows", 0)


def test_undelivered_events_are_kept_however_old_they_are(start):
    bridge = start.bridge(None, {"outbox": {"keep_delivered": "0s"}})
    one = bridge.accept(events.body())
    holds_for(lambda: bridge.metrics().value("outbox_undelivered_events") == 1, 2, "it is gone")
    assert [row["id"] for row in bridge.rows("outbox")] == [one]
    assert bridge.metrics().value("outbox_oldest_age_seconds") >= 1


def test_dead_letters_never_leave_by_themselves(start, broker):
    bridge = start.bridge(broker, {"outbox": {"keep_delivered": "0s"}}).wait_connected()
    one = bridge.post(b"no event").json()["id"]
    for i in range(30):
        bridge.accept(events.body(gid=f"d{i}"))
    bridge.wait_metric("outbox_undelivered_events", 0)
    bridge.restart()
    assert [row["id"] for row in bridge.rows("dead")] == [one]


# Repeats


def statuses(bridge, bodies, **options):
    return [bridge.post(body, **options).json()["status"] for body in bodies]


def test_a_repeat_is_published_once(bridge, subscriber):
    body = events.body()
    assert statuses(bridge, [body] * 5) == ["accepted", *["duplicate"] * 4]
    bridge.accept(events.body(gid="fence"))
    subscriber.wait_for(events.topic("fence"))
    assert len(subscriber.on(events.topic())) == 1
    assert bridge.metrics().value("duplicates_total") == 4


def test_a_change_back_is_no_repeat(bridge, subscriber):
    """A, B, A: the second A is a real change of the resource back to A."""
    a, b = events.body(), events.body()
    assert statuses(bridge, [a, b, a, a, b]) == [
        "accepted", "accepted", "accepted", "duplicate", "accepted",
    ]
    assert [m.payload for m in subscriber.wait_for(events.topic(), 4)] == [a, b, a, b]


def test_events_of_other_resources_in_between_do_not_hide_a_repeat(bridge):
    a = events.body(gid="a")
    bridge.accept(a)
    for i in range(20):
        bridge.accept(events.body(gid=f"other{i}"))
    assert statuses(bridge, [a]) == ["duplicate"]


def test_the_same_gid_of_another_type_is_another_resource(bridge):
    work = b'{"event":"resource.created","resource_type":"work","resource_gid":"x"}'
    project = work.replace(b"work", b"project")
    assert statuses(bridge, [work, project, work]) == ["accepted", "accepted", "duplicate"]


def test_the_same_body_for_two_sources_is_two_events(start):
    other = {**source()[0], "name": "other", "path": "/hooks/other"}
    bridge = start.bridge(None, {"sources": [*source(), other]})
    body = events.body()
    assert statuses(bridge, [body]) == ["accepted"]
    assert statuses(bridge, [body], path="/hooks/other") == ["accepted"]
    assert statuses(bridge, [body]) == ["duplicate"]


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("delivered", [False, True], ids=["undelivered", "delivered"])
def test_a_repeat_is_known_across_a_restart(start, broker, how, delivered):
    bridge = start.bridge(broker if delivered else None)
    body = events.body()
    first = bridge.accept(body)
    if delivered:
        bridge.wait_metric("outbox_undelivered_events", 0)
    if how == "stop":
        assert bridge.stop() == 0
    else:
        bridge.kill()
    bridge.start()
    answer = bridge.post(body)
    assert answer.json() == {"status": "duplicate", "id": first}


def test_a_repeat_after_the_window_is_a_new_event(start):
    bridge = start.bridge(None, {"sources": source(dedupe_window="1s")})
    body = events.body()
    begin = time.monotonic()
    first = bridge.accept(body)
    # The clock starts with the first one; a repeat does not start it anew.
    answer = wait_until(
        lambda: (a := bridge.post(body).json())["status"] == "accepted" and a, "a new event"
    )
    assert answer["id"] != first and time.monotonic() - begin >= 0.95


def test_a_window_of_nothing_turns_it_off(start):
    bridge = start.bridge(None, {"sources": source(dedupe_window="0s")})
    body = events.body()
    assert statuses(bridge, [body, body]) == ["accepted", "accepted"]


def test_concurrent_repeats_all_get_the_id_of_one(bridge, subscriber):
    for round_ in range(10):
        body = events.body(gid=f"round{round_}")
        connections = [bridge.connect() for _ in range(12)]
        data = request_bytes("POST", PATH, signed(body), body)
        for connection in connections:
            connection.send(data)
        answers = [connection.answer() for connection in connections]
        for connection in connections:
            connection.close()
        assert {answer.status for answer in answers} == {200}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert sorted(a.json()["status"] for a in answers) == ["accepted", *["duplicate"] * 11]
    subscriber.wait_under("partners/", 10)
    assert len(subscriber.under("partners/")) == 10


def test_a_repeat_of_a_quarantined_body_is_answered_2xx(bridge):
    assert bridge.post(b"no event").status == 202
    assert bridge.post(b"no event").status in (200, 202)


# By hand, on a running bridge


def test_a_quarantined_body_is_listed_and_shown_byte_for_byte(start):
    bridge = start.bridge(None)
    body = b'\x00\xff "no event" \n'
    one = bridge.post(body).json()["id"]
    [row] = bridge.rows("dead")
    assert row["id"] == one and row["source"] == "partners" and row["reason"]
    assert bridge.cli("dead", "show", one, "--body").stdout == body


def test_a_quarantined_body_is_an_event_once_the_configuration_makes_one_of_it(start, broker, subscriber):
    """Here the topic was too long."""
    bridge = start.bridge(broker, {"sources": source(topic="t/{body.resource.pad}")}).wait_connected()
    body = events.body(pad="x" * 70000)
    answer = bridge.post(body)
    assert answer.status == 202, answer
    one = answer.json()["id"]
    bridge.cli("dead", "retry", one, expect=None)
    assert [row["id"] for row in bridge.rows("dead")] == [one], "it still makes no event"
    assert bridge.stop() == 0
    bridge.config["sources"] = source(topic="t/{resource_type}")
    bridge.write_config()
    bridge.start().wait_connected()
    bridge.cli("dead", "retry", one)
    message = subscriber.wait_for("t/project")[0]
    assert message.payload == body and message.property("id") == one
    assert bridge.rows("dead") == []


def test_a_dead_letter_is_dropped_by_hand_only(start):
    bridge = start.bridge(None)
    ids = [bridge.post(b"no event %d" % i).json()["id"] for i in range(3)]
    bridge.cli("dead", "drop", ids[1])
    assert [row["id"] for row in bridge.rows("dead")] == [ids[0], ids[2]]
    bridge.cli("dead", "drop", "--all")
    assert bridge.rows("dead") == []
    bridge.wait_metric("dead_letters", 0)


def test_kept_events_are_replayed_with_their_ids(bridge, subscriber):
    bodies = [events.body(gid=f"p{i}") for i in range(5)]
    ids = [bridge.accept(body) for body in bodies]
    subscriber.wait_under("partners/", 5)
    bridge.wait_metric("outbox_undelivered_events", 0)
    bridge.cli("outbox", "replay", "--all")
    arrived = subscriber.wait_under("partners/", 10)
    assert [m.payload for m in arrived] == bodies * 2
    assert [m.property("id") for m in arrived] == ids * 2


def test_a_replay_publishes_each_id_once_however_often_there_was_one_before(bridge, subscriber):
    ids = [bridge.accept(events.body(gid=f"p{i}")) for i in range(3)]
    subscriber.wait_under("partners/", 3)
    for times in range(2, 5):
        bridge.wait_metric("outbox_undelivered_events", 0)
        bridge.cli("outbox", "replay", "--all")
        arrived = subscriber.wait_under("partners/", 3 * times)
        assert [m.property("id") for m in arrived] == ids * times
        assert len(bridge.lines("event replayed", id=ids[0])) == times - 1
    # Of the stopped outbox too.
    bridge.wait_metric("outbox_undelivered_events", 0)
    assert bridge.stop() == 0
    bridge.cli("outbox", "replay", "--all")
    assert [row["id"] for row in bridge.rows("outbox", "--undelivered")] == ids


def test_a_replay_makes_room_among_the_kept_events(start, broker):
    """An outbox full of kept events is the ordinary state after a while."""
    subscriber = start.subscriber(broker)
    bridge = start.bridge(broker, SMALL).wait_connected()
    for i in range(200):
        bridge.accept(events.body(gid=f"m{i}", pad="x" * 3000))
        if i % 20 == 0:
            bridge.wait_metric("outbox_undelivered_events", 0)
    bridge.wait_metric("outbox_undelivered_events", 0)
    kept = [row["id"] for row in bridge.rows("outbox", "--delivered")]
    assert 10 < len(kept) < 200
    subscriber.wait_under("partners/", 200)
    bridge.cli("outbox", "replay", "--all")
    arrived = subscriber.wait_under("partners/", 200 + len(kept))
    assert [m.property("id") for m in arrived[200:]] == kept


def test_what_is_done_by_hand_leaves_a_line_with_the_id(start):
    bridge = start.bridge(None)
    one = bridge.accept(events.body())
    dead = bridge.post(b"no event").json()["id"]
    bridge.cli("outbox", "drop", one)
    bridge.cli("dead", "drop", dead)
    bridge.wait_log(lambda: bridge.lines("event dropped", id=one, level="info"), "dropped")
    bridge.wait_log(lambda: bridge.lines("dead letter dropped", id=dead, level="info"), "dropped")


def test_damage_that_is_found_in_reading_ends_the_process(start, broker):
    """It would take webhooks for ever, and deliver none."""
    proxy = start.proxy(broker)
    proxy.refuse()
    bridge = start.bridge(proxy)
    bridge.accept(events.body(pad="the page with this body"))
    assert bridge.stop() == 0
    path, page = bridge.folder / "outbox.db", 16384
    data = bytearray(path.read_bytes())
    begin = data.rindex(b"the page with this body") // page * page
    assert begin > 0
    data[begin : begin + page] = b"\xff" * page
    path.write_bytes(data)
    bridge.start()
    proxy.resume()
    assert bridge.wait_end() != 0
    assert bridge.lines("outbox failed", level="fatal")


def test_an_undelivered_event_is_dropped_by_hand(start, broker):
    proxy = start.proxy(broker)
    proxy.refuse()
    bridge = start.bridge(proxy)
    bodies = [events.body(gid=f"u{i}") for i in range(3)]
    ids = [bridge.accept(body) for body in bodies]
    bridge.cli("outbox", "drop", ids[1])
    assert [row["id"] for row in bridge.rows("outbox", "--undelivered")] == [ids[0], ids[2]]
    subscriber = start.subscriber(broker)
    proxy.resume()
    bridge.wait_metric("outbox_undelivered_events", 0)
    assert [m.payload for m in subscriber.wait_under("partners/", 2)] == [bodies[0], bodies[2]]


def test_the_stopped_outbox_is_read_and_changed_by_the_same_commands(start):
    bridge = start.bridge(None)
    ids = [bridge.accept(events.body(gid=f"s{i}")) for i in range(3)]
    dead = bridge.post(b"no event").json()["id"]
    running = json.loads(bridge.cli("outbox", "stats", "--json").stdout)
    assert bridge.stop() == 0
    assert json.loads(bridge.cli("outbox", "stats", "--json").stdout) == running
    assert [row["id"] for row in bridge.rows("outbox")] == ids
    bridge.cli("outbox", "drop", ids[0])
    bridge.cli("dead", "drop", dead)
    bridge.start()
    assert [row["id"] for row in bridge.rows("outbox")] == ids[1:]
    assert bridge.rows("dead") == []


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps freed memory for a while")
def test_a_backlog_does_not_make_memory_grow(start):
    bridge = start.bridge(None)

    def load(count):
        with bridge.connect() as connection:
            for i in range(count):
                bridge.accept(events.body(gid=f"m{i}", pad="x" * 4000), connection=connection)

    load(500)
    before = bridge.resident_kb()
    load(3000)
    assert bridge.resident_kb() - before < 6000, "12 MB went into the backlog"
