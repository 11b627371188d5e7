/*
 * Checking a delivery:
 *   - each header that the description names must come; only the signature's may come more than once
 *   - all lines of the signature's header are taken apart (header.c), timestamp and id are read
 *   - every secret makes one MAC over the message, piece by piece, to compare with all signatures
 *   - last comes the timestamp's age: only now is it known to be the provider's
 * Whatever is missing or malformed is ST_UNAUTHENTIC, and so is every delivery without a secret.
 */
#include "bridge/verify/internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

struct verifier {
    const struct provider_signature *signature;
    struct message message;
    size_t mac_len;
    size_t count;
    EVP_MAC_CTX *keyed[VERIFY_MAX_SECRETS]; /* SCHEME_HMAC: each owns its key, and wipes it */
    struct buf tokens[VERIFY_MAX_SECRETS];  /* SCHEME_TOKEN */
};

#define ALGORITHM(name, word, mac_len) [ALGORITHM_##name] = {word, mac_len},
static const struct {
    char name[8]; /* as OpenSSL takes it */
    size_t mac_len;
} algorithms[] = {PROVIDER_ALGORITHMS(ALGORITHM)};

static EVP_MAC_CTX *keyed_context(EVP_MAC *hmac, enum provider_algorithm algorithm,
                                  const uint8_t *key, size_t key_len)
{
    char name[sizeof(algorithms[algorithm].name)]; /* OpenSSL does not promise not to write */
    OSSL_PARAM params[] = {OSSL_PARAM_END, OSSL_PARAM_END};
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);

    memcpy(name, algorithms[algorithm].name, sizeof(name));
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
    if (context && EVP_MAC_init(context, key, key_len, params)) {
        return context;
    }
    EVP_MAC_CTX_free(context);
    return NULL;
}

static enum status add_secret(struct verifier *verifier, EVP_MAC *hmac, struct slice secret,
                              struct err *err)
{
    uint8_t key[VERIFY_MAX_SECRET];
    size_t len, at = verifier->count;
    enum status st = secret_decode(verifier->signature, secret, key, &len, err);

    if (st != ST_OK) {
        (void)err_wrap(err, "secret %zu", at + 1);
    } else if (verifier->signature->scheme == SCHEME_TOKEN) {
        buf_add(&verifier->tokens[at], key, len);
        verifier->count++;
    } else {
        verifier->keyed[at] = keyed_context(hmac, verifier->signature->algorithm, key, len);
        verifier->count++;
        st = verifier->keyed[at] ? ST_OK : err_set(err, ST_IO, "OpenSSL offers no such HMAC");
    }
    OPENSSL_cleanse(key, sizeof(key));
    return st;
}

static enum status add_secrets(struct verifier *verifier, const struct slice *secrets,
                               size_t count, struct err *err)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    enum status st = hmac ? ST_OK : err_set(err, ST_IO, "OpenSSL offers no HMAC");

    for (size_t i = 0; i < count && st == ST_OK; i++) {
        st = add_secret(verifier, hmac, secrets[i], err);
    }
    EVP_MAC_free(hmac); /* the contexts keep a reference */
    return st;
}

/* The first fault of a description, for those who need one that is sound. */
struct first_fault {
    struct err *err;
    bool is_kept;
};

static void keep_first(void *ctx, const struct verify_fault *fault)
{
    struct first_fault *first = ctx;

    if (!first->is_kept) {
        (void)err_set(first->err, ST_INVALID, "%s: %s", fault->key, fault->text);
        first->is_kept = true;
    }
}

static enum status set_up(struct verifier *verifier, const struct slice *secrets, size_t count,
                          struct err *err)
{
    const struct provider_signature *signature = verifier->signature;
    struct first_fault first = {.err = err};
    enum status st = verify_check_description(signature, keep_first, &first);

    if (st != ST_OK || signature->scheme == SCHEME_NONE) {
        return st;
    }
    if (signature->scheme == SCHEME_HMAC) {
        verifier->mac_len = algorithms[signature->algorithm].mac_len;
        st = message_compile(signature->message, &verifier->message, err);
        CHECK(st == ST_OK);
    }
    return add_secrets(verifier, secrets, count, err);
}

enum status verifier_create(const struct provider_signature *signature,
                            const struct slice *secrets, size_t count,
                            struct verifier **out_verifier, struct err *err)
{
    struct verifier *verifier;
    enum status st;

    if (signature->scheme != SCHEME_NONE && count > VERIFY_MAX_SECRETS) {
        return err_set(err, ST_TOO_LARGE, "%zu secrets; %d at most", count, VERIFY_MAX_SECRETS);
    }
    verifier = xalloc(sizeof(*verifier));
    verifier->signature = signature;
    st = set_up(verifier, secrets, count, err);
    if (st != ST_OK) {
        verifier_destroy(verifier);
        return st;
    }
    *out_verifier = verifier;
    return ST_OK;
}

void verifier_destroy(struct verifier *verifier)
{
    if (verifier) {
        for (size_t i = 0; i < verifier->count; i++) {
            EVP_MAC_CTX_free(verifier->keyed[i]);
            buf_wipe(&verifier->tokens[i]);
        }
        free(verifier);
    }
}

static enum status check_header(const struct delivery *head, const char *name, size_t most,
                                struct err *why)
{
    struct slice value;
    size_t count = 0;

    if (!is_set(name)) {
        return ST_OK;
    }
    if (head->header) {
        count = head->header(head->ctx, name, &value, 1);
    }
    if (count == 0) {
        return err_set(why, ST_UNAUTHENTIC, "header %s is missing", name);
    }
    return count <= most
               ? ST_OK
               : err_set(why, ST_UNAUTHENTIC, "header %s is there %zu times", name, count);
}

enum status verifier_check_head(const struct verifier *verifier, const struct delivery *head,
                                struct err *why)
{
    const struct provider_signature *signature = verifier->signature;
    enum status st = ST_OK;

    if (signature->scheme != SCHEME_NONE) {
        st = check_header(head, signature->header, VERIFY_MAX_SIGNATURES, why);
        st = st == ST_OK ? check_header(head, signature->timestamp_header, 1, why) : st;
        st = st == ST_OK ? check_header(head, signature->id_header, 1, why) : st;
    }
    return st;
}

/* The lines of the signature's header. Returns how many; 0: none, or too many. */
static size_t take_lines(const struct verifier *verifier, const struct delivery *delivery,
                         struct slice out_lines[VERIFY_MAX_SIGNATURES])
{
    size_t count = 0;

    if (delivery->header) {
        count = delivery->header(delivery->ctx, verifier->signature->header, out_lines,
                                 VERIFY_MAX_SIGNATURES);
    }
    return count <= VERIFY_MAX_SIGNATURES ? count : 0;
}

static bool compute(const struct verifier *verifier, EVP_MAC_CTX *keyed,
                    const struct message_values *values, uint8_t out_mac[VERIFY_MAX_MAC])
{
    size_t len = 0;
    bool ok = EVP_MAC_init(keyed, NULL, 0, NULL); /* starts again with the key that it has */

    for (size_t i = 0; i < verifier->message.count && ok; i++) {
        struct slice part = message_part(&verifier->message, i, values);

        ok = EVP_MAC_update(keyed, (const unsigned char *)part.data, part.len);
    }
    return ok && EVP_MAC_final(keyed, out_mac, &len, VERIFY_MAX_MAC) &&
           len == verifier->mac_len;
}

/* True if any secret made any of the signatures. */
static bool matches(const struct verifier *verifier, const struct signature_given *given,
                    const struct message_values *values)
{
    uint8_t mac[VERIFY_MAX_MAC];
    unsigned found = 0;

    for (size_t i = 0; i < verifier->count; i++) {
        bool ok = compute(verifier, verifier->keyed[i], values, mac);

        for (size_t j = 0; j < given->count; j++) {
            found |=
                (unsigned)ok & (CRYPTO_memcmp(mac, given->macs[j], verifier->mac_len) == 0);
        }
    }
    OPENSSL_cleanse(mac, sizeof(mac));
    return found;
}

static enum status check_age(const struct provider_signature *signature, int64_t timestamp_s,
                             int64_t now_ms, struct err *why)
{
    int64_t age_s = now_ms / 1000 - timestamp_s;
    int64_t tolerance_s = signature->tolerance_ms / 1000;

    if (signature->tolerance_ms <= 0) {
        return ST_OK;
    }
    if (age_s > tolerance_s) {
        return err_set(why, ST_UNAUTHENTIC,
                       "its timestamp is %lld s old, more than the %lld s of the tolerance",
                       (long long)age_s, (long long)tolerance_s);
    }
    if (signature->skew != SKEW_PAST && -age_s > tolerance_s) {
        return err_set(why, ST_UNAUTHENTIC,
                       "its timestamp is %lld s ahead, more than the %lld s of the tolerance",
                       -(long long)age_s, (long long)tolerance_s);
    }
    return ST_OK;
}

/* What the message is made of, as far as the delivery has it in the form that it must have. */
static enum status gather(const struct verifier *verifier, const struct delivery *delivery,
                          const struct signature_given *given,
                          struct message_values *out_values, int64_t *out_timestamp_s,
                          struct err *why)
{
    const struct provider_signature *signature = verifier->signature;
    struct slice timestamp = given->timestamp, id = SLICE_NONE;

    if (is_set(signature->timestamp_header)) {
        timestamp = delivery_header(delivery, signature->timestamp_header);
    }
    if (is_set(signature->id_header)) {
        id = delivery_header(delivery, signature->id_header);
    }
    out_values->of[MESSAGE_BODY] = delivery->body;
    out_values->of[MESSAGE_TIMESTAMP] = timestamp;
    out_values->of[MESSAGE_ID] = id;
    if (verifier->message.holds[MESSAGE_TIMESTAMP] &&
        !timestamp_read(signature->timestamp_format, verifier->message.tight, timestamp,
                        out_timestamp_s)) {
        return err_set(why, ST_UNAUTHENTIC, "its timestamp is none of the configured format");
    }
    if (verifier->message.holds[MESSAGE_ID] && !message_accepts_id(&verifier->message, id)) {
        return err_set(why, ST_UNAUTHENTIC, "header %s is no id that can be signed",
                       signature->id_header);
    }
    return ST_OK;
}

static enum status check_hmac(const struct verifier *verifier, const struct delivery *delivery,
                              struct err *why)
{
    const struct provider_signature *signature = verifier->signature;
    struct signature_given given = {.count = 0};
    struct slice lines[VERIFY_MAX_SIGNATURES];
    size_t line_count = take_lines(verifier, delivery, lines);
    struct message_values values;
    int64_t timestamp_s = 0;
    enum status st;

    if (!signature_read(signature, lines, line_count, verifier->mac_len, &given)) {
        return err_set(why, ST_UNAUTHENTIC, "header %s is no signature of the configured form",
                       signature->header);
    }
    st = gather(verifier, delivery, &given, &values, &timestamp_s, why);
    if (st == ST_OK && !matches(verifier, &given, &values)) {
        st = err_set(why, ST_UNAUTHENTIC, "it is signed with another key, or has been changed");
    }
    if (st == ST_OK && verifier->message.holds[MESSAGE_TIMESTAMP]) {
        st = check_age(signature, timestamp_s, delivery->received_ms, why);
    }
    return st;
}

static unsigned is_token(const struct verifier *verifier, struct slice given)
{
    unsigned found = 0;

    for (size_t i = 0; i < verifier->count; i++) {
        found |= verify_equal_text(given, buf_slice(&verifier->tokens[i]));
    }
    return found && given.len > 0;
}

/* A line is a token, which may contain commas, or a list of tokens. */
static unsigned line_has_token(const struct verifier *verifier, struct slice line)
{
    unsigned found = is_token(verifier, line);
    const char *comma = line.len > 0 ? memchr(line.data, ',', line.len) : NULL;

    for (size_t i = 0; i < VERIFY_MAX_SIGNATURES && comma; i++) {
        struct slice item = {line.data, (size_t)(comma - line.data)};

        found |= is_token(verifier, slice_trim(item, " \t"));
        line = slice_from(line, item.len + 1);
        comma = line.len > 0 ? memchr(line.data, ',', line.len) : NULL;
        if (comma == NULL) {
            found |= is_token(verifier, slice_trim(line, " \t"));
        }
    }
    return found;
}

static enum status check_token(const struct verifier *verifier, const struct delivery *delivery,
                               struct err *why)
{
    struct slice lines[VERIFY_MAX_SIGNATURES];
    size_t count = take_lines(verifier, delivery, lines);
    unsigned found = 0;

    for (size_t i = 0; i < count; i++) {
        found |= line_has_token(verifier, lines[i]);
    }
    return found ? ST_OK
                 : err_set(why, ST_UNAUTHENTIC, "header %s contains another token",
                           verifier->signature->header);
}

enum status verifier_check(struct verifier *verifier, const struct delivery *delivery,
                           struct err *why)
{
    if (verifier->signature->scheme == SCHEME_NONE) {
        return ST_OK;
    }
    if (verifier->count == 0) {
        return err_set(why, ST_UNAUTHENTIC, "there is no key yet to check it with");
    }
    return verifier->signature->scheme == SCHEME_HMAC ? check_hmac(verifier, delivery, why)
                                                      : check_token(verifier, delivery, why);
}

static void add_line(struct buf *out, const char *name, struct slice value)
{
    if (is_set(name)) {
        buf_addf(out, "%s: %.*s\n", name, SLICE_ARG(value));
    }
}

static enum status sign_hmac(struct verifier *verifier, const struct message_values *values,
                             struct buf *out)
{
    const struct provider_signature *signature = verifier->signature;
    uint8_t mac[VERIFY_MAX_MAC];

    if (!compute(verifier, verifier->keyed[0], values, mac)) {
        return ST_IO;
    }
    add_line(out, signature->id_header, values->of[MESSAGE_ID]);
    add_line(out, signature->timestamp_header, values->of[MESSAGE_TIMESTAMP]);
    buf_addf(out, "%s: ", signature->header);
    signature_write(signature, mac, verifier->mac_len, values->of[MESSAGE_TIMESTAMP], out);
    OPENSSL_cleanse(mac, sizeof(mac));
    return ST_OK;
}

enum status verifier_sign(struct verifier *verifier, struct slice body, int64_t now_s,
                          struct slice id, struct buf *out)
{
    enum provider_timestamp format = verifier->signature->timestamp_format;
    char timestamp[CLOCK_TEXT_SIZE];
    struct message_values values = {.of = {[MESSAGE_BODY] = body, [MESSAGE_ID] = id}};

    if (verifier->signature->scheme == SCHEME_NONE) {
        return ST_OK;
    }
    if (verifier->count == 0) {
        return ST_MISSING;
    }
    if (verifier->signature->scheme == SCHEME_TOKEN) {
        buf_addf(out, "%s: ", verifier->signature->header);
        buf_add_slice(out, buf_slice(&verifier->tokens[0]));
        return ST_OK;
    }
    timestamp_write(format, now_s, timestamp);
    values.of[MESSAGE_TIMESTAMP] = slice_of(timestamp);
    if ((verifier->message.holds[MESSAGE_TIMESTAMP] &&
         !timestamp_read(format, verifier->message.tight, values.of[MESSAGE_TIMESTAMP],
                         &now_s)) ||
        (verifier->message.holds[MESSAGE_ID] && !message_accepts_id(&verifier->message, id))) {
        return ST_INVALID;
    }
    return sign_hmac(verifier, &values, out);
}
