/*
 * From a secret's text to the key's bytes, decoded as the description wants it. A text that cannot
 * be a key is ST_INVALID, with a reason that does not contain it; the caller wipes the key.
 */
#include "bridge/verify/internal.h"

#include <string.h>

#include <openssl/crypto.h>

#include "common/encode.h"

/* What can be a header's whole value. */
static bool is_header_value(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < ' ' || c == 0x7F) {
            return false;
        }
    }
    return text.data[0] != ' ' && text.data[text.len - 1] != ' ';
}

static enum status decode_text(const struct provider_signature *signature, struct slice secret,
                               uint8_t out_key[VERIFY_MAX_SECRET], size_t *out_len,
                               struct err *err)
{
    if (signature->scheme == SCHEME_TOKEN && !is_header_value(secret)) {
        return err_set(
            err, ST_INVALID,
            "cannot come in a header, as a token does: it has control characters, or "
            "a space at an end");
    }
    memcpy(out_key, secret.data, secret.len);
    *out_len = secret.len;
    return ST_OK;
}

static enum status decode_key(struct slice text, uint8_t out_key[VERIFY_MAX_SECRET],
                              size_t *out_len, struct err *err)
{
    if (!decode_base64(text, out_key, VERIFY_MAX_SECRET, out_len)) {
        return err_set(
            err, ST_INVALID,
            "is not base64 (letters, digits, + and /, padded with = to a multiple of "
            "four), as the keys of this provider are");
    }
    return *out_len > 0 ? ST_OK : err_set(err, ST_INVALID, "is an empty key");
}

enum status secret_decode(const struct provider_signature *signature, struct slice secret,
                          uint8_t out_key[VERIFY_MAX_SECRET], size_t *out_len, struct err *err)
{
    const struct slice whsec = SLICE("whsec_");

    if (secret.len == 0) {
        return err_set(err, ST_INVALID, "is empty");
    }
    if (secret.len > VERIFY_MAX_SECRET) {
        return err_set(err, ST_INVALID, "has %zu bytes; %d at most", secret.len,
                       VERIFY_MAX_SECRET);
    }
    if (signature->scheme == SCHEME_TOKEN || signature->key == KEY_TEXT) {
        return decode_text(signature, secret, out_key, out_len, err);
    }
    if (signature->key == KEY_WHSEC && slice_starts_with(secret, whsec)) {
        secret = (struct slice){secret.data + whsec.len, secret.len - whsec.len};
    }
    return decode_key(secret, out_key, out_len, err);
}

enum status verify_check_secret(const struct provider_signature *signature, struct slice secret,
                                struct err *err)
{
    uint8_t key[VERIFY_MAX_SECRET];
    size_t len;
    enum status st = secret_decode(signature, secret, key, &len, err);

    OPENSSL_cleanse(key, sizeof(key));
    return st;
}
