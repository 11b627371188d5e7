"""Signatures as the providers make them."""

import hashlib
import hmac

CREADS_HEADER = "X-Partners-Signature"


def creads(secret, body):
    """Lower-case hex of HMAC-SHA256 over the raw body."""
    return hmac.new(as_bytes(secret), as_bytes(body), hashlib.sha256).hexdigest()


def as_bytes(text):
    return text.encode() if isinstance(text, str) else bytes(text)
