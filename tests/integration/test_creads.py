"""Creads Partners, played by a stand-in that retries and switches off a webhook that keeps failing."""

import itertools
import json

import pytest
from lib import events
from lib.bridge import PATH, SECRET
from lib.wait import DEADLINE_S, free_port, wait_until
from providers import creads, standin

# Some of the waits between attempts are half an hour at the provider.
TIME_SCALE = 1e-4


@pytest.fixture
def provider(start):
    provider = creads.Creads(time_scale=TIME_SCALE)
    start.stack.callback(provider.close)
    return provider


@pytest.fixture
def address():
    """Of a bridge that is not always there."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def webhook(provider, address):
    """Added in the Developer menu, with the secret of the tests' bridges."""
    return provider.add_webhook(f"http://{address}{PATH}", SECRET)


def start_bridge(start, broker, address, **options):
    return start.bridge(broker, {"ingress": {"listen": [address]}}, **options)


def fire(provider, count=1):
    """Different events of one project, in order. Nothing follows from an attempt before the last one is fired."""
    with provider.lock:
        return [provider.fire("project:resource.updated", gid=events.GID)[0] for _ in range(count)]


def wait_over(deliveries):
    for one in deliveries:
        assert one.over.wait(DEADLINE_S), one.report()
    return deliveries


def statuses(delivery):
    return [attempt.status for attempt in delivery.attempts]


def body_of(delivery):
    return delivery.attempts[-1].body


def test_the_standin_signs_as_the_published_examples_do():
    body = (
        b'{"event":"resource.created","resource_type":"project","resource_gid":"559befeeab59f",'
        b'"resource":{"gid":"559befeeab59f"}}'
    )
    assert creads.sign("my_secret", b"{}") == "3c980c81acef21e0356767cca9ab9d6a62a4e09677bb07107e4524c381b17309"
    assert creads.sign("your_secret_key", body) == "1c87db2bffdc66eeb4357067fff2404e3c36c5071a76fd7c428608e69e01a827"


def test_every_event_of_the_published_list_arrives_byte_for_byte(start, broker, subscriber, provider, webhook, address):
    start_bridge(start, broker, address)
    sent = wait_over([one for event in provider.catalogue() for one in provider.fire(event)])
    messages = subscriber.wait_under("partners/", len(sent))
    assert [message.payload for message in messages] == [body_of(one) for one in sent]
    for message, delivery in zip(messages, sent, strict=True):
        fields = json.loads(body_of(delivery))
        kind, event, gid = fields["resource_type"], fields["event"], fields["resource_gid"]
        assert delivery.name == f"{kind}:{event}" and statuses(delivery) == [200]
        assert message.topic == f"partners/{kind}/{event}/{gid}"
        assert ("resource" in fields) == (event != events.DELETED)
    assert {tuple(one.name.split(":")) for one in sent} == {
        (kind, event) for kind, known in events.CATALOGUE.items() for event in known
    }


def test_a_webhook_whose_bridge_is_down_is_switched_off_and_the_developer_gets_a_mail(
    start, broker, subscriber, provider, webhook, address
):
    wait_over(fire(provider, creads.TOO_MANY_FAILURES))
    assert not webhook.enabled and len(provider.mails) == 1
    assert webhook.url in provider.mails[0]["subject"]
    with pytest.raises(LookupError):
        fire(provider)
    # The developer repairs it and switches it on again.
    start_bridge(start, broker, address)
    provider.enable()
    (delivery,) = wait_over(fire(provider))
    assert subscriber.wait_for(events.topic())[0].payload == body_of(delivery)
    assert webhook.enabled and webhook.failures == 0


def test_a_broker_that_is_away_for_the_whole_time_switches_nothing_off(
    start, broker, provider, webhook, address
):
    broker.stop()
    start_bridge(start, broker, address)
    sent = wait_over(fire(provider, 3 * creads.TOO_MANY_FAILURES))
    assert [statuses(one) for one in sent] == [[200]] * len(sent)
    assert webhook.enabled and webhook.failures == 0 and not provider.mails
    broker.start()
    subscriber = start.subscriber(broker)
    messages = subscriber.wait_for(events.topic(), len(sent))
    assert [message.payload for message in messages] == [body_of(one) for one in sent]


def test_an_event_is_delivered_if_the_bridge_is_back_within_the_attempts(
    start, broker, subscriber, provider, webhook, address
):
    provider.time_scale = 1 / 60  # the second attempt one second after the first, the third five seconds later
    (delivery,) = fire(provider)
    wait_until(lambda: delivery.attempts, "the first attempt")
    start_bridge(start, broker, address)
    wait_over([delivery])
    *failed, last = statuses(delivery)
    assert set(failed) == {0} and last == 200
    assert webhook.failures == 0
    assert subscriber.wait_for(events.topic())[0].payload == body_of(delivery)


def test_a_wrong_secret_switches_the_webhook_off(start, provider, address):
    webhook = provider.add_webhook(f"http://{address}{PATH}", "another secret")
    start_bridge(start, None, address)
    sent = wait_over(fire(provider, creads.TOO_MANY_FAILURES))
    assert set(itertools.chain(*map(statuses, sent))) == {401}
    assert not webhook.enabled and "401" in provider.mails[0]["text"]


def test_authentic_bodies_that_make_no_event_do_not_switch_the_webhook_off(start, provider, webhook, address):
    bridge = start_bridge(start, None, address)
    bodies = [b"", b"not JSON", b"[]", b'{"event":"resource.updated","resource_type":"project"}']
    bodies += [standin.encoded({"n": n}) for n in range(creads.TOO_MANY_FAILURES)]
    sent = [provider.send(creads.WebhookDelivery(provider, webhook, "odd", body, ())) for body in bodies]
    assert [statuses(one) for one in wait_over(sent)] == [[202]] * len(sent)
    assert webhook.enabled and webhook.failures == 0
    assert len(bridge.rows("dead")) == len(sent)


def test_a_body_that_is_sent_again_because_its_answer_was_lost_arrives_once(
    start, broker, subscriber, provider, webhook, address
):
    bridge = start_bridge(start, broker, address)
    (first,) = wait_over(fire(provider))
    again = creads.WebhookDelivery(provider, webhook, first.name, body_of(first), ())
    wait_over([provider.send(again)])
    (last,) = wait_over(fire(provider))
    assert json.loads(again.attempts[0].text)["status"] == "duplicate"
    messages = subscriber.wait_for(events.topic(), 2)
    bridge.wait_settled()
    assert [message.payload for message in messages] == [body_of(first), body_of(last)]
