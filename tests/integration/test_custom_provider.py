"""A provider that is no preset: described in the configuration alone, from the signature to its samples."""

import dataclasses
import json
import re
import uuid

import pytest

from lib import http_client, posting, sign
from lib.deliveries import PRESETS, Fields, Request, check_message, dump, expand, level, message_of
from lib.posting import accepted
from lib.sign import in_base64, now
from lib.triggered import accepted_ids, listed, trigger

MARGIN_S = 20  # for a request to get from here to the bridge, on a machine that is busy
SECRET = "itest-custom-secret"
BASE64_SECRET = in_base64(b"itest custom secret, 32 bytes :-)")

HMAC = {
    "scheme": "hmac", "algorithm": "sha256", "header": "X-Signature", "form": "plain", "encoding": "hex", "key": "text",
    "message": "{body}",
}
STAMPED = {
    **HMAC, "message": "{timestamp}.{body}", "timestamp_header": "X-Timestamp", "tolerance": "5m", "skew": "both",
}
IDENTIFIED = {**STAMPED, "message": "{id}.{timestamp}.{body}", "id_header": "X-Id"}

# One for each value of each axis, and for what may stand where in a message.
SIGNATURES = {
    "a token": {"scheme": "token", "header": "X-Token"},
    "plain hex": HMAC,
    "SHA-1": {**HMAC, "algorithm": "sha1"},
    "SHA-512": {**HMAC, "algorithm": "sha512"},
    "SHA-512 in base64": {**HMAC, "algorithm": "sha512", "encoding": "base64"},
    "base64": {**HMAC, "encoding": "base64"},
    "a prefix": {**HMAC, "form": "prefix", "mark": "sha256="},
    "a prefix with blanks": {**HMAC, "form": "prefix", "mark": "HMAC sha256 "},
    "a decoded key": {**HMAC, "key": "base64"},
    "a whsec key": {**HMAC, "key": "whsec"},
    "text around the body": {**HMAC, "message": "begin:{body}:end"},
    "pairs": {**HMAC, "form": "pairs", "mark": "sig"},
    "pairs with a timestamp": {
        **HMAC, "form": "pairs", "mark": "v2", "message": "{timestamp}.{body}", "timestamp_key": "time",
        "tolerance": "5m", "skew": "both",
    },
    "ordered pairs in base64": {
        **HMAC, "form": "pairs", "mark": "h", "ordered": True, "message": "{timestamp}|{body}", "timestamp_key": "ts",
        "encoding": "base64", "tolerance": "5m", "skew": "past",
    },
    "pairs between semicolons": {
        **HMAC, "form": "pairs", "mark": "h1", "separator": ";", "message": "{timestamp}:{body}", "timestamp_key": "ts",
        "tolerance": "5m", "skew": "both",
    },
    "a version": {**HMAC, "form": "versions", "mark": "v3", "encoding": "base64"},
    "a timestamp": STAMPED,
    "a timestamp behind the body": {**STAMPED, "message": "{body}.{timestamp}"},
    "a timestamp that may be from the future": {**STAMPED, "skew": "past"},
    "a timestamp of any age": {**STAMPED, "tolerance": "0s"},
    "a timestamp in milliseconds": {**STAMPED, "timestamp_format": "milliseconds"},
    "a timestamp in RFC 3339": {**STAMPED, "timestamp_format": "rfc3339"},
    "a timestamp beside the body": {**STAMPED, "message": "{timestamp}{body}"},
    "milliseconds behind the body": {
        **STAMPED, "message": "POST{body}{timestamp}", "timestamp_format": "milliseconds", "skew": "past",
    },
    "an id": {**HMAC, "message": "{id}.{body}", "id_header": "X-Id"},
    "an id and a timestamp": IDENTIFIED,
    "a timestamp between an id and the body": {
        **IDENTIFIED, "message": "{id}{timestamp}{body}", "timestamp_format": "rfc3339",
    },
    "all of it": {
        **IDENTIFIED, "algorithm": "sha512", "form": "versions", "mark": "v9", "encoding": "base64", "key": "whsec",
        "message": "{timestamp}:{id}:{body}",
    },
}
FIELDS = {"event": "{body.event}", "gid": "{body.order.number}", "delivery_id": "{body.id}"}


def order(event="order.paid", **changes):
    body = {"id": f"whk_{uuid.uuid4()}", "event": event, "order": {"number": "A-1007", "total": "49.90"}, **changes}
    return Request(dump(body))


def read_order(request):
    body = json.loads(request.body)
    return Fields(body["event"], body["order"]["number"], delivery_id=body["id"])


def custom(name="orders", **settings):
    return {
        "name": name, "provider": "custom", "path": f"/{name}", "secrets": [{"env": "CUSTOM_SECRET"}],
        "topic": "{source}/{resource_type}/{event}/{gid}", **settings,
    }


def start_bridge(starter, broker, sources, **options):
    secrets = {"CUSTOM_SECRET": SECRET, "CUSTOM_BASE64": BASE64_SECRET}
    return posting.start_bridge(starter, broker, sources, secrets, **options)


def send(bridge, source, request, headers):
    path = source["path"] + request.suffix
    return http_client.fetch(bridge.ingress, "POST", path, [*request.headers, *headers], request.body)


@pytest.fixture(scope="module")
def subscriber(start_for_module, module_broker):
    return start_for_module.subscriber(module_broker)


# How it signs

@dataclasses.dataclass
class Described:
    """A running source whose signature is described."""

    bridge: object
    source: dict
    signature: dict
    secret: str

    def sign(self, body, secret=None, **options):
        return sign.described(self.signature, secret or self.secret, body, **options)

    def status(self, request, headers=None):
        return send(self.bridge, self.source, request, self.sign(request.body) if headers is None else headers).status


@pytest.fixture(scope="module")
def sources(start_for_module, module_broker):
    """{what: Described}, all on one bridge."""
    found = {}
    for i, (what, signature) in enumerate(SIGNATURES.items()):
        decoded = signature.get("key", "text") != "text"
        variable = "CUSTOM_BASE64" if decoded else "CUSTOM_SECRET"
        source = custom(f"custom{i}", signature=signature, fields=FIELDS, secrets=[{"env": variable}])
        found[what] = Described(None, source, signature, BASE64_SECRET if decoded else SECRET)
    bridge = start_bridge(start_for_module, module_broker, [one.source for one in found.values()])
    for one in found.values():
        one.bridge = bridge
    return found


@pytest.fixture(params=SIGNATURES)
def described(request, sources):
    return sources[request.param]


def test_what_is_signed_as_described_arrives(described, subscriber):
    request = order()
    accepted_id = accepted(send(described.bridge, described.source, request, described.sign(request.body)))
    fields, name = read_order(request), described.source["name"]
    topic = expand(described.source["topic"], name, fields)
    check_message(message_of(subscriber, accepted_id), request, fields, name, topic, accepted_id)


def test_what_is_signed_in_nearly_the_same_way_is_refused(described):
    request = order()
    headers = described.sign(request.body)
    assert described.status(request, []) == 401
    wrong = in_base64(b"another secret") if described.secret == BASE64_SECRET else "another secret"
    assert described.status(request, described.sign(request.body, wrong)) == 401
    for pair in headers:
        if pair[0] != described.signature["header"]:  # which may have several values
            assert described.status(request, [*headers, pair]) == 401
        assert described.status(request, [one for one in headers if one != pair]) == 401
        assert described.status(request, [(one[0], one[1] + "x" if one == pair else one[1]) for one in headers]) == 401
    if described.signature["scheme"] == "hmac":
        assert described.status(request.but(body=request.body + b" "), headers) == 401
        other = {**described.signature, "algorithm": {"sha256": "sha1"}.get(described.signature["algorithm"], "sha256")}
        assert described.status(request, sign.described(other, described.secret, request.body)) == 401
    assert described.status(request, headers) == 200


def test_sign_makes_what_was_described(described):
    request = order()
    printed = described.bridge.cli("sign", described.source["name"], input=request.body).stdout.decode().splitlines()
    headers = dict(line.split(": ", 1) for line in printed)
    found = described.signature
    options = {}
    if "timestamp_header" in found:
        options["timestamp"] = headers[found["timestamp_header"]]
    elif "timestamp_key" in found:
        options["timestamp"] = re.match(r"\w+=(\d+)[,;]", headers[found["header"]])[1]
    if "id_header" in found:
        options["message_id"] = headers[found["id_header"]]
    assert headers == dict(described.sign(request.body, **options))
    assert described.status(request, list(headers.items())) == 200


@pytest.mark.parametrize(
    "what, inside, outside",
    [
        ("a timestamp", [-300 + MARGIN_S, 300], [-301, 300 + MARGIN_S]),
        ("a timestamp that may be from the future", [-300 + MARGIN_S, 300 + MARGIN_S, 864000], [-301]),
        ("a timestamp of any age", [-864000, 864000], []),
        ("pairs with a timestamp", [-300 + MARGIN_S, 300], [-301, 300 + MARGIN_S]),
        ("ordered pairs in base64", [-300 + MARGIN_S, 864000], [-301]),
        ("pairs between semicolons", [-300 + MARGIN_S, 300], [-301, 300 + MARGIN_S]),
        ("a timestamp in milliseconds", [-300 + MARGIN_S, 300], [-301, 300 + MARGIN_S]),
        ("a timestamp in RFC 3339", [-300 + MARGIN_S, 300], [-301, 300 + MARGIN_S]),
        ("a timestamp beside the body", [-300 + MARGIN_S, 300], [-301, 300 + MARGIN_S]),
        ("milliseconds behind the body", [-300 + MARGIN_S, 864000], [-301]),
    ],
)
def test_the_tolerance_is_the_described_one(sources, what, inside, outside):
    described = sources[what]
    for distance in [*inside, *outside]:
        request = order()
        headers = described.sign(request.body, timestamp=now() + distance)
        assert described.status(request, headers) == (401 if distance in outside else 200), distance


# Where the fields are

def fields_case(fields, request, event, gid, delivery_id=None, resource_type=None, **settings):
    return fields, request, Fields(event, gid, resource_type, delivery_id), settings


BODY = {
    "kind": "invoice", "action": "paid", "n": 12, "big": 12345678901234567890, "ok": True, "none": None, "empty": "",
    "deep": {"er": {"id": "d-1"}}, "list": ["l-0"], "result": {"name": "N", "codeinvoice": "c-1", "code": "c-2"},
}


def with_body(**settings):
    headers = (("X-Event", "invoice.sent"), ("X-Account", "acme"), ("X-Delivery", str(uuid.uuid4())))
    return Request(dump({**BODY, **settings}), headers=headers)


PLACES = {
    "a template": fields_case({"event": "{body.kind}.{body.action}", "gid": "{body.deep.er.id}"}, with_body(),
                              "invoice.paid", "d-1"),
    "text alone": fields_case({"event": "invoice.seen", "gid": "all"}, with_body(), "invoice.seen", "all"),
    "a number": fields_case({"event": "{body.kind}", "gid": "{body.n}"}, with_body(), "invoice", "12"),
    "a big number": fields_case({"event": "{body.kind}", "gid": "{body.big}"}, with_body(), "invoice",
                                "12345678901234567890"),
    "the second alternative": fields_case({"event": "{body.nothing}|{body.none}|{body.kind}", "gid": "{body.n}"},
                                          with_body(), "invoice", "12"),
    "an alternative of which a part is missing": fields_case(
        {"event": "{body.kind}.{body.nothing}|{body.kind}", "gid": "{body.n}"}, with_body(), "invoice", "12"),
    "an empty alternative": fields_case({"event": "{body.kind}", "gid": "{body.nothing}|"}, with_body(), "invoice", ""),
    "an empty value": fields_case({"event": "{body.kind}", "gid": "{body.empty}"}, with_body(), "invoice", ""),
    "the beginning of a name": fields_case({"event": "{body.kind}", "gid": "{body.result.code*}"}, with_body(),
                                           "invoice", "c-1"),
    "a type of its own": fields_case({"event": "{body.action}", "gid": "{body.n}", "resource_type": "{body.kind}"},
                                     with_body(), "paid", "12", resource_type="invoice"),
    "a delivery id": fields_case({"event": "{body.kind}", "gid": "{body.n}", "delivery_id": "{body.deep.er.id}"},
                                 with_body(), "invoice", "12", "d-1"),
    "no delivery id this time": fields_case({"event": "{body.kind}", "gid": "{body.n}", "delivery_id": "{body.none}"},
                                            with_body(), "invoice", "12"),
    "headers": fields_case({"event": "{header.x-event}", "gid": "{header.X-Account}/{body.n}"}, with_body(),
                           "invoice.sent", "acme/12"),
    "the URL": fields_case({"event": "{body.kind}", "gid": "{url}"}, with_body().but(suffix="/SN-1"), "invoice", "SN-1",
                           path_suffix=True),
    "the URL, encoded": fields_case({"event": "{body.kind}", "gid": "{url}"}, with_body().but(suffix="/a%20b%2Bc"),
                                    "invoice", "a b+c", path_suffix=True),
    "the event by the URL": fields_case({"event": "{url}", "gid": "{body.n}"}, with_body().but(suffix="/paid-now"),
                                        "invoice.paid", "12", events={"paid-now": "invoice.paid"}),
    "what would leave a topic's level": fields_case({"event": "{body.kind}", "gid": "{body.kind}"},
                                                    with_body(kind="../#/+$%/"), "../#/+$%/", "../#/+$%/"),
}


@pytest.fixture(scope="module")
def places(start_for_module, module_broker):
    sources = [
        custom(f"fields{i}", signature=HMAC, fields=fields, **settings)
        for i, (fields, _, _, settings) in enumerate(PLACES.values())
    ]
    return start_bridge(start_for_module, module_broker, sources), dict(zip(PLACES, sources, strict=True))


@pytest.mark.parametrize("what", PLACES)
def test_fields_are_found_where_they_are_described(places, subscriber, what):
    bridge, sources = places
    _, request, fields, _ = PLACES[what]
    accepted_id = accepted(send(bridge, sources[what], request, sign.described(HMAC, SECRET, request.body)))
    name = sources[what]["name"]
    topic = expand(sources[what]["topic"], name, fields)
    check_message(message_of(subscriber, accepted_id), request, fields, name, topic, accepted_id)


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "{body.nothing}", "gid": "{body.n}"},
        {"event": "{body.kind}", "gid": "{body.none}"},
        {"event": "{body.kind}", "gid": "{body.deep}"},
        {"event": "{body.kind}", "gid": "{body.list}"},
        {"event": "{body.deep}", "gid": "{body.n}"},
        {"event": "{body.kind}", "gid": "{header.X-Missing}"},
        {"event": "{body.kind}", "gid": "{url}"},
    ],
    ids=lambda fields: f"{fields['event']} {fields['gid']}",
)
def test_a_delivery_without_its_event_or_gid_is_kept_as_a_dead_letter(start, fields):
    source = custom(signature=HMAC, fields=fields, path_suffix=True)
    bridge = start_bridge(start, None, [source])
    request = with_body()
    answer = send(bridge, source, request, sign.described(HMAC, SECRET, request.body))
    assert answer.status == 202 and answer.json()["status"] == "quarantined", answer


def test_a_challenge_can_be_described(start):
    handshake = {"field": "deep.kind", "value": "hello", "echo": "deep.say"}
    source = custom(signature=HMAC, fields=FIELDS, challenge=handshake)
    bridge = start_bridge(start, None, [source])
    request = Request(dump({"deep": {"kind": "hello", "say": "3eZbrw"}}))
    answer = send(bridge, source, request, sign.described(HMAC, SECRET, request.body))
    assert answer.status == 200 and b"3eZbrw" in answer.body, answer
    assert send(bridge, source, request, []).status == 401
    assert bridge.metrics().value("accepted_total") == bridge.metrics().value("quarantined_total") == 0


# Its samples

SAMPLES = [
    {
        "event": "order.paid", "gid_form": "A-????",
        "headers": {"X-Kind": "@TYPE@", "X-Shop": "acme"},
        "body": {
            "id": "whk_@UUID@", "event": "@EVENT@", "did": "@ACTION@", "at": "@NOW@",
            "order": {"number": "@GID@", "n": "@N@"},
        },
    },
    {
        "event": "order.sent", "resource_type": "order", "gid_form": "B-##", "url": "@GID@/sent",
        "body": {"id": "whk_@UUID@", "event": "@EVENT@", "order": {"number": "@GID@"}, "list": [1, True, None, "@N@"]},
    },
]


@pytest.fixture
def shop(start, module_broker):
    source = custom(signature=IDENTIFIED, fields=FIELDS, samples=SAMPLES, path_suffix=True)
    return start_bridge(start, module_broker, [source]), source


def test_its_samples_are_listed_sent_and_arrive(start, shop, subscriber):
    bridge, source = shop
    assert listed(bridge, source) == ["order.paid", "order.sent"]
    lines, sent = trigger(start, bridge, source, "--all")
    for accepted_id, one in zip(accepted_ids(lines), sent, strict=True):
        request = Request(one.body, one.headers)
        fields = read_order(request)
        topic = expand(source["topic"], source["name"], fields)
        check_message(message_of(subscriber, accepted_id), request, fields, source["name"], topic, accepted_id)
        timestamp, message_id = int(one.header("X-Timestamp")), one.header("X-Id")
        for name, value in sign.described(IDENTIFIED, SECRET, one.body, timestamp, message_id):
            assert one.header(name) == value
    paid, sent_off = sent
    assert (paid.path, paid.header("X-Kind"), paid.header("X-Shop")) == (source["path"], "order", "acme")
    body = json.loads(paid.body)
    assert body["did"] == "paid" and re.fullmatch(r"A-\d{4}", body["order"]["number"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["at"])
    gid = json.loads(sent_off.body)["order"]["number"]
    assert re.fullmatch(r"B-[0-9a-f]{2}", gid) and sent_off.path == f"{source['path']}/{gid}/sent"
    assert json.loads(sent_off.body)["list"][:3] == [1, True, None]
    assert bridge.metrics().value("unknown_events_total") == 0


def test_one_of_its_samples_is_sent_as_often_as_asked(start, shop):
    bridge, source = shop
    for name in ("order.sent", "order:order.sent"):
        lines, sent = trigger(start, bridge, source, name, "--gid", "B-77", "--count", "3")
        assert len(set(accepted_ids(lines))) == len(sent) == 3
        assert {json.loads(one.body)["order"]["number"] for one in sent} == {"B-77"}


def test_a_source_without_samples_has_nothing_to_trigger(start):
    source = custom(signature=HMAC, fields=FIELDS)
    bridge = start_bridge(start, None, [source], start=False)
    for args in (["--list"], ["--all"], ["order:order.paid"]):
        assert b"samples" in bridge.cli("trigger", source["name"], *args, expect=1).stderr


# A preset with single values of one's own

def preset_source(name, **settings):
    return PRESETS[name].source(**settings)


def test_one_value_of_a_preset_can_be_another_and_the_rest_stays(start, module_broker, subscriber):
    """Forgejo beside Gitea; a Stripe whose clock is an hour off; events of GitHub by the body."""
    sources = [
        preset_source("gitea", signature={"header": "X-Forgejo-Signature"}),
        preset_source("stripe", signature={"tolerance": "2h"}),
        preset_source("github", fields={"event": "github.{body.action}"}, topic="{event}/{gid}"),
    ]
    bridge = start_bridge(start, module_broker, sources)

    def answer(name, request, proof=None):
        return posting.send(bridge, PRESETS[name], request, proof)

    request = PRESETS["gitea"].make()
    [(_, value)] = PRESETS["gitea"].prove(request)
    assert answer("gitea", request).status == 401
    accepted(answer("gitea", request, [("X-Forgejo-Signature", value)]))

    request = PRESETS["stripe"].make()
    accepted(answer("stripe", request, PRESETS["stripe"].prove(request, timestamp=now() - 3600)))
    assert answer("stripe", request, PRESETS["stripe"].prove(request, timestamp=now() - 7201)).status == 401

    request = PRESETS["github"].make()
    message = message_of(subscriber, accepted(answer("github", request)))
    assert message.topic == f"github.opened/{level(PRESETS['github'].read(request).gid)}"
    assert message.property("delivery_id") == request.header("X-GitHub-Delivery")


# What `check` says

def check(bridge, status=0):
    *lines, _ = bridge.cli("check", expect=status).stdout.decode().splitlines()
    return lines


CLEAN = {
    "fields of the body": custom(signature=HMAC, fields=FIELDS),
    "a signed header": custom(signature=IDENTIFIED, fields={**FIELDS, "delivery_id": "{header.x-id}"}),
    "a signed header in the topic": custom(signature=IDENTIFIED, fields={**FIELDS, "gid": "{header.X-Id}"}),
    "anything beside a token": custom(
        signature=SIGNATURES["a token"], path_suffix=True,
        fields={"event": "{header.X-Event}", "gid": "{url}", "delivery_id": "{header.X-Id}"},
    ),
}

WARNED = {
    "an unsigned event that the topic does not hold": ("fields.event", custom(
        signature=HMAC, fields={**FIELDS, "event": "{header.X-Event}"}, topic="orders/{gid}")),
    "an event from a header": ("fields.event", custom(signature=HMAC, fields={**FIELDS, "event": "{header.X-Event}"})),
    "an action from a header": (
        "fields.event", custom(signature=HMAC, fields={**FIELDS, "event": "{header.X-Event}"}, topic="o/{action}/{gid}")),
    "a gid from the URL": ("fields.gid", custom(signature=HMAC, fields={**FIELDS, "gid": "{url}"}, path_suffix=True)),
    "a type whose second alternative is from a header": (
        "fields.resource_type", custom(signature=HMAC, fields={**FIELDS, "resource_type": "{body.kind}|{header.X-Kind}"})),
    "the timestamp's header, which is signed, but not the event's": (
        "fields.event", custom(signature=STAMPED, fields={**FIELDS, "event": "{header.X-Event}"})),
    "a state by a gid from a header": (
        "fields.gid",
        custom(signature=HMAC, fields={**FIELDS, "gid": "{header.X-Gid}"}, topic="o/{event}", state_topic="s/{gid}")),
    "a trusted delivery id from a header": (
        "trust_unsigned",
        custom(signature=HMAC, fields={**FIELDS, "delivery_id": "{header.X-Id}"}, trust_unsigned=True)),
    "a state that unsigned deletions do not clear": (
        "state_topic", preset_source("shopify", state_topic="shopify-state/{gid}")),
    "a timestamp that is not looked at": ("signature.tolerance", preset_source("slack", signature={"tolerance": "0s"})),
    "a timestamp that is not signed any more": (
        "signature.message", preset_source("slack", signature={"message": "{body}"})),
    "an event of a preset in the topic": ("topic", preset_source("github", topic="github/{gid}/{event}")),
    "a trusted delivery id of a preset": ("trust_unsigned", preset_source("shopify", trust_unsigned=True)),
}


@pytest.mark.parametrize("source", CLEAN.values(), ids=CLEAN)
def test_what_the_signature_covers_is_no_warning(start, source):
    assert check(start_bridge(start, None, [source], start=False)) == []


@pytest.mark.parametrize("key, source", WARNED.values(), ids=WARNED)
def test_what_the_signature_does_not_cover_is_a_warning_where_it_matters(start, key, source):
    [line] = check(start_bridge(start, None, [source], start=False))
    assert line.startswith(f"sources[0].{key}: warning: "), line


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "weavy"])
def test_the_presets_themselves_are_no_warning(start, name):
    assert check(start_bridge(start, None, [preset_source(name)], start=False)) == []


def test_a_source_of_weavy_must_say_itself_that_nothing_is_verified(start):
    source = preset_source("weavy", path="/in/5f0c9be8d2a7461e83b1c2d4e6f70a9b")
    assert check(start_bridge(start, None, [source], start=False)) == []
    del source["verify"]
    [line] = check(start_bridge(start, None, [source], start=False), status=1)
    assert line.startswith("sources[0].verify: must be") and '"none"' in line


def test_an_unsigned_source_whose_path_can_be_guessed_is_a_warning(start):
    [line] = check(start_bridge(start, None, [preset_source("weavy")], start=False))
    assert line.startswith("sources[0].path: warning: ")


def test_without_a_topic_it_is_made_of_source_event_and_gid_if_all_are_trusted(start, module_broker, subscriber):
    source = without_topic(custom("untold", signature=HMAC, fields=FIELDS))
    bridge = start_bridge(start, module_broker, [source])
    request = order()
    message = message_of(
        subscriber, accepted(send(bridge, source, request, sign.described(HMAC, SECRET, request.body)))
    )
    assert message.topic == "untold/order.paid/A-1007"


def without_topic(source):
    return {key: value for key, value in source.items() if key != "topic"}


FAULTS = {
    "no signature at all": (custom(fields=FIELDS), "signature"),
    "a message without the body": (custom(signature={**HMAC, "message": "{id}", "id_header": "X-Id"}, fields=FIELDS),
                                   "signature.message"),
    "an unknown variable in the message": (custom(signature={**HMAC, "message": "{url}.{body}"}, fields=FIELDS),
                                           "signature.message"),
    "a timestamp without a place": (custom(signature={**HMAC, "message": "{timestamp}.{body}"}, fields=FIELDS),
                                    "signature.message: contains {timestamp}"),
    "an id without a place": (custom(signature={**HMAC, "message": "{id}.{body}"}, fields=FIELDS),
                              "signature.message: contains {id}"),
    "two bodies in the message": (custom(signature={**HMAC, "message": "{body}.{body}"}, fields=FIELDS),
                                  "signature.message"),
    "an id beside the body": (
        custom(signature={**IDENTIFIED, "message": "{timestamp}.{id}{body}"}, fields=FIELDS),
        "signature.message: must have a character between {id} and {body}"),
    "a timestamp beside the body, of any age": (
        custom(signature={**STAMPED, "message": "{timestamp}{body}", "tolerance": "0s"}, fields=FIELDS),
        "signature.tolerance: must not be 0s"),
    "a separator where there are no pairs": (custom(signature={**HMAC, "separator": ";"}, fields=FIELDS),
                                             "signature.separator: needs form"),
    "a mark that names another algorithm": (
        preset_source("github", signature={"algorithm": "sha1", "header": "X-Hub-Signature"}),
        'signature.mark: is "sha256=", but algorithm is "sha1"; write "sha1="'),
    "a prefix that is not said": (custom(signature={**HMAC, "form": "prefix"}, fields=FIELDS), "signature.mark"),
    "a secret that is not base64": (custom(signature={**HMAC, "key": "base64"}, fields=FIELDS), "secrets[0]"),
    "no topic where the event is not signed": (
        without_topic(custom(signature=HMAC, fields={**FIELDS, "event": "{header.X-Event}"})), "topic: is missing"),
    "a URL that is not taken": (custom(signature=HMAC, fields={**FIELDS, "gid": "{url}"}), "fields.gid: {url}"),
    "no event": (custom(signature=HMAC, fields={"gid": "{body.n}"}), "fields.event"),
    "no gid": (custom(signature=HMAC, fields={"event": "{body.n}"}), "fields.gid"),
    "a variable that is none": (custom(signature=HMAC, fields={**FIELDS, "gid": "{query.x}"}), "fields.gid"),
    "an open brace": (custom(signature=HMAC, fields={**FIELDS, "gid": "{body.n"}), "fields.gid"),
    "an unknown algorithm": (custom(signature={**HMAC, "algorithm": "md5"}, fields=FIELDS), "signature.algorithm"),
    "an unknown key": (custom(signature={**HMAC, "headr": "x"}, fields=FIELDS), "signature.headr"),
    "a sample without a body": (custom(signature=HMAC, fields=FIELDS, samples=[{"event": "a.b"}]), "samples[0].body"),
    "one path below for two events": (
        custom(signature=HMAC, fields={"event": "{url}", "gid": "{body.n}"}, events={"a": "x", "/a": "y"}), "events"),
}


@pytest.mark.parametrize("source, path", FAULTS.values(), ids=FAULTS)
def test_a_description_that_cannot_work_is_a_fault_at_its_place(start, source, path):
    lines = check(start_bridge(start, None, [source], start=False), status=1)
    assert any(line.startswith(f"sources[0].{path}") and "warning" not in line for line in lines), lines


def test_all_that_is_missing_in_a_signature_is_told_at_once(start):
    source = custom(signature={"scheme": "hmac"}, fields=FIELDS)
    lines = check(start_bridge(start, None, [source], start=False), status=1)
    assert [line.split(": is missing")[0] for line in lines] == [
        f"sources[0].signature.{key}" for key in ("header", "algorithm", "form", "encoding", "key", "message")
    ]


# A preset whose signed id is in another header, as with Svix

SVIX = {"header": "svix-signature", "timestamp_header": "svix-timestamp", "id_header": "svix-id"}


def svix_headers(request, message_id):
    headers = sign.standard_webhooks_headers(PRESETS["standard-webhooks"].secrets[0], request.body, None, message_id)
    return [(name.replace("webhook-", "svix-"), value) for name, value in headers]


def test_where_the_signed_id_is_in_another_header_repeats_are_known_by_it(start, module_broker, subscriber):
    """A, B, and A again: by its body alone the last one would be a change back. A stranger's header says nothing."""
    source = preset_source("standard-webhooks", signature=SVIX)
    bridge = start_bridge(start, module_broker, [source])
    assert check(bridge) == []

    def post(request, message_id, *more):
        return send(bridge, source, request, [*svix_headers(request, message_id), *more])

    first = Request(dump({"type": "user.updated", "data": {"id": "u-1", "name": "A"}}))
    second = Request(dump({"type": "user.updated", "data": {"id": "u-1", "name": "B"}}))
    first_id = accepted(post(first, "msg_1", ("webhook-id", "strange")))
    accepted(post(second, "msg_2"))
    answer = post(first, "msg_1", ("webhook-id", "stranger"))
    assert answer.status == 200 and answer.json() == {"status": "duplicate", "id": first_id}, answer
    assert message_of(subscriber, first_id).property("delivery_id") == "msg_1"
    accepted(post(first, "msg_3"))


# Mistakes that look like a description

MISTAKES = {
    "a path without braces": ("fields.event", "body.event", "write {body.event}"),
    "a header without braces": ("fields.event", "header.X-Event", "write {header.X-Event}"),
    "JSONPath": ("fields.gid", "$.order.number", "write {body.order.number}"),
    "jq": ("fields.gid", ".id", "write {body.id}"),
    "an element of an array": ("fields.gid", "{body.items[0].id}", "arrays cannot be looked into"),
    "an element of an array in a topic": ("topic", "a/{body.items[0].id}", "arrays cannot be looked into"),
    "one delivery id for all": ("fields.delivery_id", "id", "write where it is, such as {body.id}"),
    "one time for all": ("fields.event_time", "created_at", "write where it is, such as {body.created_at}"),
}


@pytest.mark.parametrize("path, value, words", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_that_looks_like_a_description_is_told_with_what_would_be_right(start, path, value, words):
    source = custom(signature=HMAC, fields=dict(FIELDS))
    place, key = (source["fields"], path.removeprefix("fields.")) if "." in path else (source, path)
    place[key] = value
    [line] = check(start_bridge(start, None, [source], start=False), status=1)
    assert line.startswith(f"sources[0].{path}: ") and words in line, line


def test_a_bar_alone_says_that_there_is_no_gid(start, module_broker, subscriber):
    source = custom("heartbeat", signature=HMAC, fields={"event": "v1.beat.seen", "gid": "|"}, dedupe="body")
    bridge = start_bridge(start, module_broker, [source])
    [line] = check(bridge)
    assert line.startswith('sources[0].dedupe: warning: is "body", and there is no gid'), line
    request = order()
    message = message_of(
        subscriber, accepted(send(bridge, source, request, sign.described(HMAC, SECRET, request.body)))
    )
    assert message.topic == "heartbeat/v1.beat/v1.beat.seen/_"


def test_what_is_no_json_at_all_is_told_in_words(start):
    source = custom(signature=HMAC, fields=FIELDS)
    bridge = start_bridge(start, None, [source])

    def reason(body, *headers):
        answer = send(bridge, source, Request(body, headers), sign.described(HMAC, SECRET, body))
        assert answer.status == 202 and answer.json()["status"] == "quarantined", answer
        return answer.json()["reason"]

    form = ("Content-Type", "application/x-www-form-urlencoded")
    assert reason(b"payload=%7B%22event%22%3A%22x%22%7D", form) == (
        "a form, not JSON: set the provider's content type to application/json"
    )
    assert reason(b"payload=%7B%22event%22%3A%22y%22%7D") == "not JSON (RFC 8259): wrong at byte 0"
    assert reason(b"", form) == "the body is empty"


def test_milliseconds_are_a_time_of_the_event(start, module_broker, subscriber):
    """The state of the later event stays, whatever came last."""
    source = custom(
        "timed", signature=HMAC, fields={**FIELDS, "event_time": "{body.at}"}, state_topic="timed-state/{gid}"
    )
    bridge = start_bridge(start, module_broker, [source])
    for total, at in (("2", 1580774400168), ("1", 1580774400167)):
        request = order(order={"number": "A-ms", "total": total}, at=at)
        accepted_id = accepted(send(bridge, source, request, sign.described(HMAC, SECRET, request.body)))
        message_of(subscriber, accepted_id)
    assert bridge.metrics().value("state_skipped_total") == 1


# What `check` says of samples

def sample(**changes):
    body = {"id": "@UUID@", "event": "@EVENT@", "order": {"number": "@GID@"}}
    return {"event": "order.paid", "body": body, **changes}


SAMPLE_WARNINGS = {
    "another event than it says": (
        "samples[0].event", sample(body={"event": "totally.other", "order": {"number": "1"}}), '"totally.other"'),
    "another type than it says": ("samples[0].resource_type", sample(resource_type="orders"), '"order"'),
    "no event at all": ("samples[0]", sample(body={"event": "@EVENT@"}), "order.number is missing"),
}


@pytest.mark.parametrize("key, wrong, words", SAMPLE_WARNINGS.values(), ids=SAMPLE_WARNINGS)
def test_a_sample_that_is_not_what_it_says_is_a_warning(start, key, wrong, words):
    source = custom(signature=HMAC, fields=FIELDS, samples=[wrong, sample()])
    [line] = check(start_bridge(start, None, [source], start=False))
    assert line.startswith(f"sources[0].{key}: warning: ") and words in line, line


def test_samples_that_are_what_they_say_are_no_warning(shop):
    bridge, _ = shop
    assert check(bridge) == []
