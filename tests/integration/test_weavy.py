"""Divalto weavy from subscription to the broker, played by a stand-in: `provider weavy …` and its deliveries."""

import json
import secrets
import stat

import pytest
from lib.wait import DEADLINE_S, free_port
from providers import weavy

PASSWORD = "weavy-password-81d2"
CODES = {
    "NewCustomer": "codecustomer", "NewProspect": "codecustomer", "NewSuspect": "codecustomer",
    "NewSubcontractor": "codecustomer", "NewDeal": "codedeal", "NewOpportunity": "codedeal",
}


@pytest.fixture
def provider(start):
    provider = weavy.Weavy(username="bridge", password=PASSWORD, project="acme")
    start.stack.callback(provider.close)
    return provider


class Registered:
    """A bridge with a source for the provider, and its commands."""

    def __init__(self, start, provider, broker):
        self.provider = provider
        path = f"/webhooks/weavy/{secrets.token_hex(16)}"
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}{path}"
        self.bridge = start.bridge(
            broker, {"ingress": {"listen": [address]}}, start=False, env={"WEAVY_PASSWORD": PASSWORD}
        )
        self.bridge.secrets.add(PASSWORD)
        self.state_file = self.bridge.folder / "weavy.json"
        self.bridge.config["sources"].append({
            "name": "weavy", "provider": "weavy", "path": path, "verify": "none", "public_url": self.url,
            "api": {"url": provider.url, "username": "bridge", "password": {"env": "WEAVY_PASSWORD"},
                    "project_code": "acme", "state_file": str(self.state_file)},
        })
        self.bridge.write_config()
        self.bridge.start()

    def cli(self, *args, expect=0):
        """Runs `provider weavy …`; returns all it printed."""
        done = self.bridge.cli("provider", "weavy", *args, expect=expect)
        text = (done.stdout + done.stderr).decode()
        assert PASSWORD not in text
        assert not any(token in text for token in self.provider.tokens)
        return text


@pytest.fixture
def registered(start, broker, provider):
    return Registered(start, provider, broker)


def wait_over(deliveries):
    for one in deliveries:
        assert one.over.wait(DEADLINE_S), one.report()
    return deliveries


def fire_all(provider):
    return wait_over([one for event in weavy.EVENTS for one in provider.fire(event)])


def logins(provider):
    return sum(path == "/v1/Authenticate" for _, path, _ in provider.calls)


def test_all_six_events_are_subscribed_delivered_and_unsubscribed(subscriber, registered):
    provider = registered.provider
    registered.cli("subscribe", "--all")
    subscribed = {one["event"]: one["hookUrl"] for one in provider.subscriptions.values()}
    assert set(subscribed) == set(weavy.EVENTS) and len(provider.subscriptions) == 6
    assert len(set(subscribed.values())) == 6
    assert all(url.startswith(f"{registered.url}/") for url in subscribed.values())
    assert stat.S_IMODE(registered.state_file.stat().st_mode) == 0o600

    sent = fire_all(provider)
    assert [one.attempts[0].status for one in sent] == [200] * 6
    for delivery in sent:
        body = delivery.attempts[0].body
        gid = json.loads(body)["result"][CODES[delivery.name]]
        (message,) = subscriber.wait_for(f"weavy/{delivery.name}/{gid}")
        assert message.payload == body and message.property("event") == delivery.name

    registered.cli("unsubscribe", "--all")
    assert not provider.subscriptions and not fire_all(provider)
    assert not any(event in registered.cli("list") for event in weavy.EVENTS)


def test_one_event_is_subscribed_listed_and_unsubscribed_by_its_name_or_code(registered):
    provider = registered.provider
    for by_code in (False, True):
        registered.cli("subscribe", "NewDeal", "NewCustomer")
        codes = {one["event"]: code for code, one in provider.subscriptions.items()}
        listed = registered.cli("list")
        assert all(text in listed for pair in codes.items() for text in pair)
        registered.cli("unsubscribe", codes["NewDeal"] if by_code else "NewDeal")
        assert {one["event"] for one in provider.subscriptions.values()} == {"NewCustomer"}
        registered.cli("unsubscribe", "--all")


def test_what_is_subscribed_already_is_not_subscribed_twice(registered):
    registered.cli("subscribe", "NewDeal")
    registered.cli("subscribe", "--all")
    assert len(registered.provider.subscriptions) == 6


@pytest.mark.parametrize("as_list", [False, True], ids=["an object", "an array"])
def test_a_sample_is_printed_and_published_like_a_real_event(subscriber, registered, as_list):
    registered.provider.samples_as_list = as_list
    for event, code in CODES.items():
        shown = registered.cli("sample", event)
        assert code in shown
    registered.bridge.wait_settled()
    assert not subscriber.under("weavy/"), "printed, and no more"
    registered.cli("sample", "NewOpportunity", "--publish")
    (message, *_) = subscriber.wait_under("weavy/NewOpportunity/", 1)
    result = json.loads(message.payload)["result"]
    assert message.topic == f"weavy/NewOpportunity/{result['codedeal']}"
    assert result["customerName"] == "A L'ATELIER DE DIJON"


def test_an_unknown_event_is_an_error_in_the_providers_words(registered):
    for verb in ("subscribe", "sample"):
        text = registered.cli(verb, "NewSpaceship", expect=1)
        assert "Unknown event NewSpaceship" in text
    assert not registered.provider.subscriptions


def test_an_expired_login_is_renewed(registered):
    provider = registered.provider
    registered.cli("login")
    registered.cli("subscribe", "NewDeal")
    before = logins(provider)
    provider.expire()
    registered.cli("subscribe", "NewCustomer")
    assert len(provider.subscriptions) == 2
    assert logins(provider) == before + 1
    # Also one that expires between two calls of the same command.
    provider.expire()
    registered.cli("unsubscribe", "--all")
    assert not provider.subscriptions


def test_a_wrong_password_is_an_error_in_the_providers_words(registered):
    registered.provider.password = "another"
    for args in (("login",), ("subscribe", "NewDeal")):
        assert "Unknown user, password or project" in registered.cli(*args, expect=1)
    assert not registered.provider.subscriptions


def test_everybody_who_has_subscribed_gets_the_event(start, broker, subscriber, provider):
    first, second = Registered(start, provider, broker), Registered(start, provider, broker)
    first.cli("subscribe", "NewDeal")
    second.cli("subscribe", "NewDeal")
    sent = wait_over(provider.fire("NewDeal", gid="2010000000014"))
    assert {one.url.rsplit("/", 1)[0] for one in sent} == {first.url, second.url}
    messages = subscriber.wait_for("weavy/NewDeal/2010000000014", 2)
    assert {message.payload for message in messages} == {sent[0].attempts[0].body}
    second.cli("unsubscribe", "--all")
    assert [one.url.rsplit("/", 1)[0] for one in wait_over(provider.fire("NewDeal"))] == [first.url]


def test_a_subscription_that_the_provider_does_not_know_any_more_is_kept_until_it_is_to_be_forgotten(registered):
    registered.cli("subscribe", "--all")
    registered.provider.subscriptions.clear()
    text = registered.cli("unsubscribe", "--all", expect=1)
    assert "Unknown subscription" in text and "--forget" in text
    assert len(registered.cli("list").splitlines()) == 6
    registered.cli("unsubscribe", "--all", "--forget")
    assert registered.cli("list") == ""
    registered.cli("subscribe", "--all")
    assert len(registered.provider.subscriptions) == 6
