"""A message that the broker never answers, on a connection that is alive."""

from lib import events
from lib.wait import wait_until

KEEP_ALIVE_S = 2


def test_others_flow_and_after_twice_the_keep_alive_it_is_sent_again_in_order(start):
    """The broker answers pings and all else, but not the first of one resource."""
    silent = []

    def answer(session, publish):
        if publish.topic.endswith("/mute") and not silent:
            silent.append(publish)
        else:
            session.ack(publish)

    server = start.mqtt_server(answer)
    bridge = start.bridge(server, {"mqtt": {"keep_alive": f"{KEEP_ALIVE_S}s"}}).wait_connected()
    mute = [events.body(gid="mute") for _ in range(3)]
    others = [events.body(gid=f"g{i % 4}") for i in range(40)]
    for body in mute + others:
        bridge.accept(body)
    wait_until(lambda: len([p for p in server.events if not p.topic.endswith("/mute")]) == 40, bridge.log_text)
    assert len(server.sessions) == 1
    bridge.wait_settled()
    taken = [p for p in server.events if p.topic.endswith("/mute")]
    assert [p.payload for p in taken] == [mute[0], *mute]
    assert 2 * KEEP_ALIVE_S - 0.5 < taken[1].at - taken[0].at < 2 * KEEP_ALIVE_S + 5
    [line] = bridge.lines("broker connection lost")
    assert line["reason"] == "no acknowledgement for twice the keep-alive"
    assert bridge.metrics().value("dead_letters") == 0
