"""
Signatures as the providers make them: from their descriptions with hmac and hashlib, independent of the bridge.

Each preset has a function that returns the headers, as pairs, that prove a body; their options are what near misses
are made of. timestamp: Unix seconds, as number or as the text that is to be sent (for providers without a preset: that
text).
"""

import base64
import hashlib
import hmac
import time
import uuid

CREADS_HEADER = "X-Partners-Signature"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"


def creads(secret, body):
    """Lower-case hex of HMAC-SHA256 over the raw body."""
    return mac(secret, body).hex()


def creads_headers(secret, body):
    return [(CREADS_HEADER, creads(secret, body))]


def ricloud_headers(secret, body, timestamp=None):
    """t, then s: base64 over `t.body`; the secret is used as it is."""
    timestamp = now() if timestamp is None else timestamp
    return [("Ricloud-Signature", f"t={timestamp},s={in_base64(mac(secret, stamped(timestamp, body)))}")]


def standard_webhooks(secret, body, timestamp, message_id=MESSAGE_ID, version="v1"):
    """One item of the signature's list. The secret is base64, usually after `whsec_`; the decoded bytes sign."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = as_bytes(f"{message_id}.{timestamp}.") + as_bytes(body)
    return f"{version},{in_base64(mac(key, signed))}"


def standard_webhooks_headers(secret, body, timestamp=None, message_id=MESSAGE_ID, signature=None):
    """signature: the list to send instead of the right one."""
    timestamp = now() if timestamp is None else timestamp
    return [
        ("webhook-id", message_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", signature or standard_webhooks(secret, body, timestamp, message_id)),
    ]


def github(secret, body):
    return f"sha256={mac(secret, body).hex()}"


def github_sha1(secret, body):
    """The header before the present one; GitHub still sends it beside it."""
    return f"sha1={mac(secret, body, 'sha1').hex()}"


def github_headers(secret, body):
    return [("X-Hub-Signature", github_sha1(secret, body)), ("X-Hub-Signature-256", github(secret, body))]


def stripe(secret, body, timestamp):
    """Lower-case hex over `t.body`; the secret is used as it is, with its `whsec_`."""
    return mac(secret, stamped(timestamp, body)).hex()


def stripe_headers(secret, body, timestamp=None):
    """With the signature of the test scheme that Stripe adds, too."""
    timestamp = now() if timestamp is None else timestamp
    value = f"t={timestamp},v1={stripe(secret, body, timestamp)},v0={'6ffbb59b' * 8}"
    return [("Stripe-Signature", value)]


def shopify(secret, body):
    return in_base64(mac(secret, body))


def shopify_headers(secret, body):
    return [("X-Shopify-Hmac-SHA256", shopify(secret, body))]


def gitlab_headers(secret, _body):
    """Not signed: the secret itself."""
    return [("X-Gitlab-Token", secret)]


def gitea_headers(secret, body):
    return [("X-Gitea-Signature", mac(secret, body).hex())]


def slack(secret, body, timestamp):
    return "v0=" + mac(secret, as_bytes(f"v0:{timestamp}:") + as_bytes(body)).hex()


def slack_headers(secret, body, timestamp=None):
    timestamp = now() if timestamp is None else timestamp
    return [
        ("X-Slack-Request-Timestamp", str(timestamp)),
        ("X-Slack-Signature", slack(secret, body, timestamp)),
    ]


# Providers that have no preset.

def zendesk_headers(secret, body, timestamp=None):
    """base64 over the timestamp and the body, without anything between them."""
    timestamp = in_rfc3339(now()) if timestamp is None else timestamp
    signed = as_bytes(timestamp) + as_bytes(body)
    return [
        ("X-Zendesk-Webhook-Signature-Timestamp", timestamp),
        ("X-Zendesk-Webhook-Signature", in_base64(mac(secret, signed))),
    ]


def twitch_headers(secret, body, timestamp=None, message_id=None):
    """Hex over id, timestamp and body, likewise."""
    timestamp = in_rfc3339(now(), "634234626") if timestamp is None else timestamp
    message_id = str(uuid.uuid4()) if message_id is None else message_id
    signed = as_bytes(message_id) + as_bytes(timestamp) + as_bytes(body)
    return [
        ("Twitch-Eventsub-Message-Id", message_id),
        ("Twitch-Eventsub-Message-Timestamp", timestamp),
        ("Twitch-Eventsub-Message-Signature", f"sha256={mac(secret, signed).hex()}"),
    ]


def hubspot_headers(secret, body, timestamp=None, url="https://hooks.example/hubspot"):
    """Version 3: base64 over method, URL as HubSpot calls it, body, and milliseconds."""
    timestamp = str(now() * 1000 + 123) if timestamp is None else timestamp
    signed = as_bytes(f"POST{url}") + as_bytes(body) + as_bytes(timestamp)
    return [
        ("X-HubSpot-Request-Timestamp", timestamp),
        ("X-HubSpot-Signature-v3", in_base64(mac(secret, signed))),
    ]


def paddle_headers(secret, body, timestamp=None):
    """ts, then h1: hex over `ts:body`."""
    timestamp = str(now()) if timestamp is None else timestamp
    signed = as_bytes(f"{timestamp}:") + as_bytes(body)
    return [("Paddle-Signature", f"ts={timestamp};h1={mac(secret, signed).hex()}")]


def nothing(_secret, _body):
    return []


# By preset.
HEADERS = {
    "creads": creads_headers,
    "ricloud": ricloud_headers,
    "weavy": nothing,
    "standard-webhooks": standard_webhooks_headers,
    "github": github_headers,
    "stripe": stripe_headers,
    "shopify": shopify_headers,
    "gitlab": gitlab_headers,
    "gitea": gitea_headers,
    "slack": slack_headers,
}


def described(signature, secret, body, timestamp=None, message_id=MESSAGE_ID):
    """As a source's `signature` describes it in the configuration."""
    if signature["scheme"] == "token":
        return [(signature["header"], secret)]
    timestamp = written(signature, now() if timestamp is None else timestamp)
    digest = mac(key_of(signature, secret), message_of(signature, body, timestamp, message_id), signature["algorithm"])
    text = digest.hex() if signature["encoding"] == "hex" else in_base64(digest)
    mark, separator = signature.get("mark"), signature.get("separator", ",")
    value = {
        "plain": text,
        "prefix": f"{mark}{text}",
        "pairs": f"{signature.get('timestamp_key')}={timestamp}{separator}{mark}={text}" if "timestamp_key" in signature
        else f"{mark}={text}",
        "versions": f"{mark},{text}",
    }[signature["form"]]
    others = [("id_header", message_id), ("timestamp_header", timestamp)]
    return [*((signature[key], value) for key, value in others if key in signature), (signature["header"], value)]


def written(signature, timestamp):
    """Unix seconds in the form that is described; text stays as it is."""
    if isinstance(timestamp, str):
        return timestamp
    return {
        "seconds": str(timestamp), "milliseconds": f"{timestamp}000", "rfc3339": in_rfc3339(timestamp, "000"),
    }[signature.get("timestamp_format", "seconds")]


def key_of(signature, secret):
    if signature["key"] == "text":
        return as_bytes(secret)
    return base64.b64decode(secret.removeprefix("whsec_") if signature["key"] == "whsec" else secret, validate=True)


def message_of(signature, body, timestamp, message_id):
    before, after = signature["message"].split("{body}")
    values = {"timestamp": timestamp, "id": message_id}
    return as_bytes(before.format(**values)) + as_bytes(body) + as_bytes(after.format(**values))


# What they are made of

def mac(key, message, algorithm="sha256"):
    return hmac.new(as_bytes(key), as_bytes(message), getattr(hashlib, algorithm)).digest()


def stamped(timestamp, body):
    return as_bytes(f"{timestamp}.") + as_bytes(body)


def in_base64(data):
    """The standard alphabet, padded."""
    return base64.b64encode(data).decode()


def now():
    return int(time.time())


def in_rfc3339(unix_s, fraction=""):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_s)) + (f".{fraction}Z" if fraction else "Z")


def as_bytes(text):
    return text.encode() if isinstance(text, str) else bytes(text)
