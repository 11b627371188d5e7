/*
 * The secrets of one source, and the verifier made of them. A secret from a file is read again
 * when the file has changed. Each file is handled by itself, so that a missing one does not
 * keep another one's new secret out.
 *
 * A stamp (common/stamp.h) tells whether a file has changed. If a read fails for a reason that may
 * pass (no descriptor left), it is tried again; for any other reason it waits for the next change.
 * Until a file gives a usable secret the old one stays, and that is logged once for each change.
 */
#include "bridge/intake/internal.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/stamp.h"

enum {
    LOOK_EVERY_MS = 1000,
    REPLACED_MS = 60 * 1000, /* longer than most requests take, or may take */
};

struct key {
    struct buf value;    /* empty: could not be read yet */
    struct stamp read;   /* when the file was last read, or found to contain no secret */
    struct stamp warned; /* when a fault was last logged */
};

struct intake_keys {
    const struct config_source *config;
    struct key *keys; /* one for each of its secrets */
    struct verifier *verifier;
    unsigned generation; /* of the verifier: 1, 2, … */
    /* The generation before, for deliveries whose head came before the change; or NULL. */
    struct verifier *replaced;
    int64_t forget_replaced_ms;
    int64_t next_look_ms; /* monotonic; INT64_MAX: no secret is from a file */
};

/* --- the verifier --- */

static enum status make_verifier(const struct intake_keys *keys, struct verifier **out_verifier,
                                 struct err *err)
{
    struct slice *secrets = xalloc((keys->config->secret_count + 1) * sizeof(secrets[0]));
    size_t count = 0;
    enum status st;

    for (size_t i = 0; i < keys->config->secret_count; i++) {
        if (keys->keys[i].value.len > 0) {
            secrets[count++] = buf_slice(&keys->keys[i].value);
        }
    }
    if (count == 0 && keys->config->verify && !keys->config->provider->issues_secret) {
        st = err_set(err, ST_INVALID, "has no secret to verify with");
    } else {
        st = verifier_create(&keys->config->provider->signature, secrets, count, out_verifier,
                             err);
    }
    free(secrets);
    return st;
}

/* True if the verifier was replaced. */
static bool renew_verifier(struct intake_keys *keys)
{
    struct verifier *verifier = NULL;
    struct err err = {0};

    if (make_verifier(keys, &verifier, &err) != ST_OK) {
        log_warn("changed secrets cannot be used; the old ones stay",
                 L_STR("source", keys->config->name), L_STR("error", err.text));
        return false;
    }
    verifier_destroy(keys->replaced);
    keys->replaced = keys->verifier;
    keys->forget_replaced_ms = clock_mono_ms() + REPLACED_MS;
    keys->verifier = verifier;
    keys->generation++;
    return true;
}

static void warn_once(const struct intake_keys *keys, struct key *key,
                      const struct stamp *stamp, const struct err *err)
{
    if (!stamp_equal(stamp, &key->warned)) {
        key->warned = *stamp;
        log_warn("a secret file has changed but cannot be used; the old secret stays",
                 L_STR("source", keys->config->name), L_STR("error", err->text));
    }
}

/* True if the file has brought another secret. If it contains none, the old secret stays. */
static bool look_at_file(struct intake_keys *keys, size_t at)
{
    const char *file = keys->config->secrets[at].file;
    struct key *key = &keys->keys[at];
    struct stamp stamp = stamp_of(file);
    struct buf value = {0};
    struct err err = {0};
    enum status st;
    bool changed;

    if (stamp_equal(&stamp, &key->read)) {
        return false;
    }
    st = config_read_secret_again(keys->config, at, &value, &err);
    if (st != ST_IO) {
        key->read = stamp;
    }
    if (st != ST_OK) {
        if (key->value.len > 0 || st != ST_NOT_FOUND) {
            warn_once(keys, key, &stamp, &err);
        }
        return false;
    }
    changed = !slice_equal(buf_slice(&key->value), buf_slice(&value));
    buf_wipe(&key->value);
    key->value = value;
    if (changed) {
        config_note_secret(keys->config, at, buf_slice(&key->value));
        log_info("secret read again", L_STR("source", keys->config->name), L_STR("file", file));
    }
    return changed;
}

/* True if a file has brought another secret and the verifier was replaced. */
static bool look(struct intake_keys *keys)
{
    bool changed = false;

    for (size_t i = 0; i < keys->config->secret_count; i++) {
        if (keys->config->secrets[i].file != NULL && look_at_file(keys, i)) {
            changed = true;
        }
    }
    return changed && renew_verifier(keys);
}

/* A secret that was taken away must become invalid even while every delivery verifies with it. */
static void look_now_and_then(struct intake_keys *keys)
{
    int64_t now_ms = clock_mono_ms();

    if (now_ms < keys->next_look_ms) {
        return;
    }
    keys->next_look_ms = now_ms + LOOK_EVERY_MS;
    (void)look(keys);
    if (keys->replaced && now_ms >= keys->forget_replaced_ms) {
        verifier_destroy(keys->replaced);
        keys->replaced = NULL;
    }
}

enum status intake_check_head(const struct intake_source *source, const struct delivery *head,
                              unsigned *out_secrets, struct err *why)
{
    struct intake_keys *keys = source->keys;

    look_now_and_then(keys);
    *out_secrets = keys->generation;
    return verifier_check_head(keys->verifier, head, why);
}

enum status intake_keys_check(struct intake_keys *keys, const struct delivery *delivery,
                              struct err *why)
{
    enum status st;

    look_now_and_then(keys);
    st = verifier_check(keys->verifier, delivery, why);
    if (st == ST_UNAUTHENTIC && look(keys)) {
        st = verifier_check(keys->verifier, delivery, why);
    }
    if (st == ST_UNAUTHENTIC && keys->replaced && delivery->secrets == keys->generation - 1) {
        st = verifier_check(keys->replaced, delivery, NULL);
    }
    return st;
}

/* --- life --- */

enum status intake_keys_create(const struct config_source *config,
                               struct intake_keys **out_keys, struct err *err)
{
    struct intake_keys *keys = xalloc(sizeof(*keys));
    enum status st;

    keys->config = config;
    keys->generation = 1;
    keys->next_look_ms = INT64_MAX;
    keys->keys = xalloc((config->secret_count + 1) * sizeof(keys->keys[0]));
    for (size_t i = 0; i < config->secret_count; i++) {
        buf_add_slice(&keys->keys[i].value, buf_slice(&config->secrets[i].value));
        if (config->secrets[i].file != NULL) {
            keys->next_look_ms = 0; /* it may have changed since it was read */
        }
    }
    st = make_verifier(keys, &keys->verifier, err);
    if (st != ST_OK) {
        intake_keys_destroy(keys);
        return st;
    }
    *out_keys = keys;
    return ST_OK;
}

void intake_keys_destroy(struct intake_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    verifier_destroy(keys->verifier);
    verifier_destroy(keys->replaced);
    for (size_t i = 0; i < keys->config->secret_count; i++) {
        buf_wipe(&keys->keys[i].value);
    }
    free(keys->keys);
    free(keys);
}
