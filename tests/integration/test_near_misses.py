"""Every preset: what is signed nearly as its provider signs is refused; another way to say the same is not."""

import base64

import pytest

from lib import sign
from lib.deliveries import PRESETS
from lib.posting import accept, accepted, assert_refused, each, send, start_bridge, start_with_presets
from lib.sign import in_base64, mac, now, stamped

SIGNED = [preset for preset in PRESETS.values() if preset.proof]
NEW, OLD = 0, 1
# For a request to get from here to the bridge, on a machine that is busy.
MARGIN_S = 20
MINUTES_5, MINUTES_10, DAYS_10 = 300, 600, 864000


@pytest.fixture(scope="module")
def bridge(start_for_module, module_broker):
    return start_with_presets(start_for_module, module_broker)


@each(SIGNED)
def test_both_the_new_and_the_old_secret_verify_and_no_other(bridge, preset):
    for secret in preset.secrets:
        request = preset.make()
        assert send(bridge, preset, request, preset.prove(request, secret)).status == 200
    request = preset.make()
    wrong = {"standard-webhooks": "whsec_" + in_base64(bytes(24))}.get(preset.name, preset.secrets[0] + "x")
    assert_refused(send(bridge, preset, request, preset.prove(request, wrong)))


@each([preset for preset in SIGNED if preset.name != "gitlab"])
def test_a_flipped_byte_of_the_body_is_refused(bridge, nothing_stored, preset):
    request = preset.make()
    headers = preset.prove(request)
    for i in (0, len(request.body) // 2, len(request.body) - 1):
        flipped = request.body[:i] + bytes([request.body[i] ^ 1]) + request.body[i + 1 :]
        assert_refused(send(bridge, preset, request.but(body=flipped), headers))


def cases():
    return [(preset, name) for preset in SIGNED for name in preset.proof]


@pytest.mark.parametrize("preset, name", cases(), ids=lambda x: x if isinstance(x, str) else x.name)
def test_a_header_of_the_proof_that_is_missing_or_empty_is_refused(bridge, nothing_stored, preset, name):
    request = preset.make()
    headers = preset.prove(request)
    rest = [pair for pair in headers if pair[0] != name]
    for bad in ([], [(name, "")], [(name, "x")], [(name, ""), (name, "x")]):
        assert_refused(send(bridge, preset, request, [*rest, *bad]))


@pytest.mark.parametrize("preset, name", cases(), ids=lambda x: x if isinstance(x, str) else x.name)
def test_any_line_of_the_signature_counts_but_other_headers_come_once(bridge, preset, name):
    """Of two times or ids, nobody could say which one is signed."""
    for before, after in (([], ["right"]), (["x"], []), ([], [""])):
        request = preset.make()
        headers = preset.prove(request)
        [right] = [pair for pair in headers if pair[0] == name]
        rest = [pair for pair in headers if pair[0] != name]
        more = [[right if value == "right" else (name, value) for value in values] for values in (before, after)]
        answer = send(bridge, preset, request, [*rest, *more[0], right, *more[1]])
        if name == preset.prove(request)[-1][0]:
            accepted(answer)
        else:
            assert_refused(answer)


@each(SIGNED)
def test_an_unsigned_delivery_is_refused(bridge, nothing_stored, preset):
    request = preset.make()
    assert_refused(send(bridge, preset, request, []))


@each([preset for preset in SIGNED if preset.name != "gitlab"])
def test_a_signature_of_an_empty_key_or_cut_or_padded_is_refused(bridge, nothing_stored, preset):
    request = preset.make()
    headers = preset.prove(request)
    *rest, (name, value) = headers
    value = value.partition(",v0=")[0]
    for bad in (value[:-1], value + "0", value + "=", value[1:], f'"{value}"'):
        assert_refused(send(bridge, preset, request, [*rest, (name, bad)]))
    empty = "whsec_" if preset.name == "standard-webhooks" else ""
    assert_refused(send(bridge, preset, request, preset.prove(request, empty)))


# By preset: {what: a function of the request that makes the headers}. Those of RIGHT are accepted.

def header(name, fill, text):
    """A header whose value is text, filled in by fill(timestamp, body)."""
    return lambda request: [(name, text.format(**fill(now(), request.body)))]


def ricloud_pairs(text):
    def fill(timestamp, body):
        digest = mac(PRESETS["ricloud"].secrets[NEW], stamped(timestamp, body))
        return {
            "t": timestamp, "s": in_base64(digest), "wrong": in_base64(bytes(32)), "hex": digest.hex(),
            "unpadded": in_base64(digest).rstrip("="),
        }

    return header("Ricloud-Signature", fill, text)


def stripe_pairs(text):
    def fill(timestamp, body):
        new, old = PRESETS["stripe"].secrets
        signed = stamped(timestamp, body)
        return {
            "t": timestamp, "s": mac(new, signed).hex(), "old": mac(old, signed).hex(), "wrong": "0" * 64,
            "upper": mac(new, signed).hex().upper(), "base64": in_base64(mac(new, signed)),
            "decoded": mac(base64.b64decode(new.removeprefix("whsec_")), signed).hex(),
            "of_body": mac(new, body).hex(),
        }

    return header("Stripe-Signature", fill, text)


def of_body(preset_name, text, name=None):
    def fill(_timestamp, body):
        secret = PRESETS[preset_name].secrets[NEW]
        digest = mac(secret, body)
        return {
            "hex": digest.hex(), "upper": digest.hex().upper(), "base64": in_base64(digest),
            "sha1": mac(secret, body, "sha1").hex(), "sha512": mac(secret, body, "sha512").hex(),
        }

    return header(name or PRESETS[preset_name].proof[0], fill, text)


def standard_list(text, message_id=None):
    def make(request):
        new, old = PRESETS["standard-webhooks"].secrets
        timestamp, used_id = now(), request.header("webhook-id") if message_id is None else message_id
        right = sign.standard_webhooks(new, request.body, timestamp, used_id).removeprefix("v1,")
        items = text.format(
            s=right, wrong=in_base64(bytes(32)), hex=base64.b64decode(right).hex(),
            old=sign.standard_webhooks(old, request.body, timestamp, used_id).removeprefix("v1,"),
            raw=in_base64(mac(new, stamped(f"{used_id}.{timestamp}", request.body))),
        )
        return sign.standard_webhooks_headers(new, request.body, timestamp, used_id, items)

    return make


def standard_swapped(in_headers, in_message):
    """Id and timestamp, each in the other's place."""

    def make(request):
        parts = [request.header("webhook-id"), str(now())]
        key = base64.b64decode(PRESETS["standard-webhooks"].secrets[NEW].removeprefix("whsec_"))
        signed = ".".join(reversed(parts) if in_message else parts).encode() + b"." + request.body
        told = reversed(parts) if in_headers else parts
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        return list(zip(names, [*told, f"v1,{in_base64(mac(key, signed))}"], strict=True))

    return make


def slack_with(form="v0={s}", message="v0:{t}:{body}", encode=bytes.hex):
    def make(request):
        timestamp = now()
        before, after = message.format(t=timestamp, body="\n").encode().split(b"\n")
        digest = mac(PRESETS["slack"].secrets[NEW], before + request.body + after)
        return [("X-Slack-Request-Timestamp", str(timestamp)), ("X-Slack-Signature", form.format(s=encode(digest)))]

    return make


def token(text):
    new, old = PRESETS["gitlab"].secrets
    return lambda _request: [("X-Gitlab-Token", text.format(new=new, old=old, cut=new[:-1], upper=new.upper()))]


RIGHT = {
    "ricloud": {"t, then s": ricloud_pairs("t={t},s={s}")},
    "stripe": {
        "only v1": stripe_pairs("t={t},v1={s}"),
        "v1 before t": stripe_pairs("v1={s},t={t}"),
        "a wrong v1 first": stripe_pairs("t={t},v1={wrong},v1={s}"),
        "a wrong v1 second": stripe_pairs("t={t},v1={s},v1={wrong}"),
        "one of each secret": stripe_pairs("t={t},v1={s},v1={old}"),
        "a v1 that is no signature beside": stripe_pairs("t={t},v1=zz,v1={s}"),
        "the timestamp twice": stripe_pairs("t={t},t={t},v1={s}"),
        "two values behind one key": stripe_pairs("t={t},v1={wrong},{s}"),
        "unknown keys beside it": stripe_pairs("v9=?,t={t},v0={wrong},v1={s},x"),
        "upper case": stripe_pairs("t={t},v1={upper}"),
    },
    "standard-webhooks": {
        "alone": standard_list("v1,{s}"),
        "two values behind one version": standard_list("v1,{wrong},{s}"),
        "commas between items, too": standard_list("v1,{wrong}, v1,{s}"),
        "a wrong one first": standard_list("v1,{wrong} v1,{s}"),
        "a wrong one second": standard_list("v1,{s} v1,{wrong}"),
        "one of each secret": standard_list("v1,{old} v1,{s}"),
        "another version beside it": standard_list("v1a,{wrong} v2,{s} v1,{s}"),
        "an item that is none beside it": standard_list("nonsense v1,{s}"),
        "nothing swapped": standard_swapped(in_headers=False, in_message=False),
    },
    "slack": {"nothing otherwise": slack_with()},
    "github": {
        "upper case": of_body("github", "sha256={upper}"),
        "two signatures": of_body("github", "sha256={hex},sha256={hex}"),
        "a wrong one first": of_body("github", "sha256={sha1},sha256={hex}"),
        "one prefix for both": of_body("github", "sha256={hex}, {hex}"),
        "SHA-1 beside it": of_body("github", "sha1={sha1},sha256={hex}"),
    },
    "creads": {
        "upper case": of_body("creads", "{upper}"),
        "a list": of_body("creads", "{sha1}, {hex}"),
        "another list": of_body("creads", "{hex} {sha1}"),
    },
    "shopify": {
        "old and new": of_body("shopify", "{base64},{base64}"),
        "something else first": of_body("shopify", "AAAA, {base64}"),
    },
    "gitlab": {"both in one header": token("{old},{new}"), "another one first": token("other, {new}")},
    "gitea": {"upper case": of_body("gitea", "{upper}")},
}

NEAR = {
    "creads": {
        "a prefix": of_body("creads", "sha256={hex}"),
        "base64": of_body("creads", "{base64}"),
        "SHA-512": of_body("creads", "{sha512}"),
    },
    "ricloud": {
        "s before t": ricloud_pairs("s={s},t={t}"),
        "labels swapped": ricloud_pairs("s={t},t={s}"),
        "values swapped": ricloud_pairs("t={s},s={t}"),
        "a second s": ricloud_pairs("t={t},s={s},s={s}"),
        "a wrong s first": ricloud_pairs("t={t},s={wrong},s={s}"),
        "something behind": ricloud_pairs("t={t},s={s},v=1"),
        "something before": ricloud_pairs("v=1,t={t},s={s}"),
        "a blank after the comma": ricloud_pairs("t={t}, s={s}"),
        "Stripe's key": ricloud_pairs("t={t},v1={s}"),
        "hex": ricloud_pairs("t={t},s={hex}"),
        "no padding": ricloud_pairs("t={t},s={unpadded}"),
        "no timestamp": ricloud_pairs("s={s}"),
        "no signature": ricloud_pairs("t={t}"),
        "another timestamp than the signed one": ricloud_pairs("t={t}0,s={s}"),
    },
    "standard-webhooks": {
        "only a wrong one": standard_list("v1,{wrong}"),
        "only another version": standard_list("v2,{s}"),
        "only the asymmetric version": standard_list("v1a,{s}"),
        "no version": standard_list("{s}"),
        "the version behind it": standard_list("{s},v1"),
        "id and timestamp swapped in the headers": standard_swapped(in_headers=True, in_message=False),
        "id and timestamp swapped in what is signed": standard_swapped(in_headers=False, in_message=True),
        "id and timestamp swapped in both": standard_swapped(in_headers=True, in_message=True),
        "an equals sign for the comma": standard_list("v1={s}"),
        "behind another version": standard_list("v2,{wrong},{s}"),
        "hex": standard_list("v1,{hex}"),
        "the secret's text as the key": standard_list("v1,{raw}"),
        "a dot in the id": standard_list("v1,{s}", message_id="msg_1.2"),
        "an empty id": standard_list("v1,{s}", message_id=""),
        "an id of blanks": standard_list("v1,{s}", message_id="msg 1"),
        "far too many": standard_list("v1,{wrong} " * 40 + "v1,{s}"),
    },
    "github": {
        "only the SHA-1 header": of_body("github", "sha1={sha1}", name="X-Hub-Signature"),
        "SHA-1 in the SHA-256 header": of_body("github", "sha1={sha1}"),
        "SHA-1 called SHA-256": of_body("github", "sha256={sha1}"),
        "no prefix": of_body("github", "{hex}"),
        "the prefix behind it": of_body("github", "{hex}sha256="),
        "the name behind it": of_body("github", "{hex}=sha256"),
        "two prefixes": of_body("github", "sha256=sha256={hex}"),
        "base64": of_body("github", "sha256={base64}"),
        "a signature behind another mark": of_body("github", "sha1={sha1},{hex}"),
    },
    "stripe": {
        "only v0": stripe_pairs("t={t},v0={s}"),
        "labels swapped": stripe_pairs("v1={t},t={s}"),
        "values swapped": stripe_pairs("t={s},v1={t}"),
        "ricloud's key": stripe_pairs("t={t},s={s}"),
        "no timestamp": stripe_pairs("v1={s}"),
        "no timestamp, of the body alone": stripe_pairs("v1={of_body}"),
        "two timestamps": stripe_pairs("t={t},t={t}1,v1={s}"),
        "a signature behind another key": stripe_pairs("t={t},v0={wrong},{s}"),
        "another timestamp first": stripe_pairs("t=1,t={t},v1={s}"),
        "two wrong ones": stripe_pairs("t={t},v1={wrong},v1={wrong}"),
        "base64": stripe_pairs("t={t},v1={base64}"),
        "the secret decoded": stripe_pairs("t={t},v1={decoded}"),
        "a blank list": stripe_pairs(",,,"),
    },
    "shopify": {
        "hex": of_body("shopify", "{hex}"),
        "a prefix": of_body("shopify", "sha256={base64}"),
    },
    "gitlab": {
        "more than the token": token("{new}x"),
        "a part of it": token("{cut}"),
        "another case": token("{upper}"),
        "both secrets": token("{new} {old}"),
        "as a bearer token": token("Bearer {new}"),
    },
    "gitea": {
        "a prefix": of_body("gitea", "sha256={hex}"),
        "base64": of_body("gitea", "{base64}"),
    },
    "slack": {
        "another version": slack_with("v1={s}"),
        "no version": slack_with("{s}"),
        "the version behind it": slack_with("{s}=v0"),
        "a dot for the colon": slack_with(message="v0.{t}.{body}"),
        "the timestamp behind the body": slack_with(message="v0:{body}:{t}"),
        "base64": slack_with(encode=in_base64),
    },
}


def flat(table):
    found = [(PRESETS[name], what, make) for name, some in table.items() for what, make in some.items()]
    return pytest.mark.parametrize(
        "preset, make", [(preset, make) for preset, _, make in found], ids=[f"{p.name}: {what}" for p, what, _ in found]
    )


@flat(RIGHT)
def test_a_signature_in_another_allowed_form_is_accepted(bridge, preset, make):
    request = preset.make()
    accepted(send(bridge, preset, request, make(request)))


@flat(NEAR)
def test_a_signature_of_nearly_the_right_form_is_refused(bridge, nothing_stored, preset, make):
    request = preset.make()
    assert_refused(send(bridge, preset, request, make(request)))


def test_a_secret_of_standard_webhooks_may_come_without_its_prefix(start):
    preset = PRESETS["standard-webhooks"]
    bare = preset.secrets[NEW].removeprefix("whsec_")
    own = start_bridge(start, None, [preset.source(secrets=[{"env": "BARE"}])], {"BARE": bare})
    accept(own, preset, preset.make())


def test_the_id_of_standard_webhooks_is_signed(bridge, nothing_stored):
    preset = PRESETS["standard-webhooks"]
    request = preset.make()
    headers = preset.prove(request)
    headers = [(name, value + "0" if name == "webhook-id" else value) for name, value in headers]
    assert_refused(send(bridge, preset, request, headers))


# Timestamps: (preset, seconds from now that pass, seconds from now that do not). In the distance from now that passes,
# there is room for the time that the request takes; one that is too old gets older, and so needs none.

TIMES = [
    ("ricloud", [-MINUTES_10 + MARGIN_S, 0, MINUTES_10 + MARGIN_S, DAYS_10], [-MINUTES_10 - 1, -DAYS_10]),
    ("stripe", [-MINUTES_5 + MARGIN_S, 0, MINUTES_5 + MARGIN_S, DAYS_10], [-MINUTES_5 - 1, -DAYS_10]),
    ("standard-webhooks", [-MINUTES_5 + MARGIN_S, 0, MINUTES_5], [-MINUTES_5 - 1, MINUTES_5 + MARGIN_S, DAYS_10]),
    ("slack", [-MINUTES_5 + MARGIN_S, 0, MINUTES_5], [-MINUTES_5 - 1, MINUTES_5 + MARGIN_S, DAYS_10]),
]


@pytest.mark.parametrize("name, inside, _", TIMES, ids=[name for name, *_ in TIMES])
def test_a_timestamp_inside_the_tolerance_passes(bridge, name, inside, _):
    preset = PRESETS[name]
    for distance in inside:
        request = preset.make()
        proof = preset.prove(request, timestamp=now() + distance)
        assert send(bridge, preset, request, proof).status == 200, distance


@pytest.mark.parametrize("name, _, outside", TIMES, ids=[name for name, *_ in TIMES])
def test_a_timestamp_outside_of_the_tolerance_is_refused(bridge, nothing_stored, name, _, outside):
    preset = PRESETS[name]
    for distance in outside:
        request = preset.make()
        assert_refused(send(bridge, preset, request, preset.prove(request, timestamp=now() + distance)))


@pytest.mark.parametrize("name", [name for name, *_ in TIMES])
@pytest.mark.parametrize(
    "form", ["0{}", "+{}", "-{}", "{}.0", "{}000", "0x{:x}", "{} 1", "", "now", "{}e0", "\u0663{}"]
)
def test_a_timestamp_that_is_no_plain_number_is_refused_though_signed(bridge, nothing_stored, name, form):
    preset = PRESETS[name]
    request = preset.make()
    headers = preset.prove(request, timestamp=form.format(now()))
    wire = [(key, value.encode().decode("latin-1")) for key, value in headers]
    assert_refused(send(bridge, preset, request, wire))
