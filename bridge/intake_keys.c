/*
 * The secrets of one source. Those from files are read again when a file has changed; each file
 * counts for itself, so that one that is missing does not keep another one's new secret out.
 *
 * A file is looked at by its stamp: who it is and when it changed. The stamp is taken before
 * the file is read, so what is written in between is found the next time.
 */
#include "bridge/intake_internal.h"

#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"

enum { LOOK_EVERY_MS = 1000 };

/* All zero: there is no such file. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct intake_keys {
    const struct config_source *config;
    /* Of each secret; a value that is empty could not be read yet. */
    struct buf *values;
    struct stamp *stamps;
    struct verifier *verifier;
    int64_t next_look_ms; /* monotonic; INT64_MAX: none of them is from a file */
};

/* --- files --- */

static struct stamp stamp_of(const char *file)
{
    struct stat info;

    if (stat(file, &info) != 0) {
        return (struct stamp){0}; /* why it cannot be read is said by reading it */
    }
    return (struct stamp){.device = info.st_dev,
                          .inode = info.st_ino,
                          .size = info.st_size,
                          .modified = info.st_mtim,
                          .changed = info.st_ctim};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

static void replace(struct buf *value, struct slice secret)
{
    if (value->data != NULL) {
        explicit_bzero(value->data, value->cap);
        buf_clear(value);
    }
    buf_add_slice(value, secret);
}

/* A secret that is there stays if its file holds none any more. */
static enum status read_again(struct intake_keys *keys, size_t at, bool *out_changed,
                              struct err *err)
{
    const struct config_secret *secret = &keys->config->secrets[at];
    struct config_source only = *keys->config;
    struct buf *value = &keys->values[at];
    struct buf *read;
    enum status st;

    only.secrets = &keys->config->secrets[at];
    only.secret_count = 1;
    st = config_read_secrets_again(&only, &read, err);
    if (st != ST_OK) {
        return st;
    }
    if (read->len == 0 && value->len > 0) {
        st = err_set(err, ST_NOT_FOUND, "%s is gone", secret->file);
    } else {
        *out_changed = !slice_equal(buf_slice(value), buf_slice(read));
        replace(value, buf_slice(read));
    }
    config_secrets_free(read, 1);
    return st;
}

/* --- the verifier --- */

static enum status make_verifier(const struct intake_keys *keys, struct verifier **out_verifier,
                                 struct err *err)
{
    struct slice *secrets = xalloc((keys->config->secret_count + 1) * sizeof(secrets[0]));
    size_t count = 0;
    enum status st;

    for (size_t i = 0; i < keys->config->secret_count; i++) {
        if (keys->values[i].len > 0) {
            secrets[count++] = buf_slice(&keys->values[i]);
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

/* True if other secrets count now. */
static bool renew_verifier(struct intake_keys *keys)
{
    struct verifier *verifier = NULL;
    struct err err = {0};

    if (make_verifier(keys, &verifier, &err) != ST_OK) {
        log_warn("changed secrets cannot be used, the old ones stay",
                 L_STR("source", keys->config->name), L_STR("error", err.text));
        return false;
    }
    verifier_destroy(keys->verifier);
    keys->verifier = verifier;
    return true;
}

/* True if it holds another secret now. */
static bool look_at_file(struct intake_keys *keys, size_t at)
{
    const char *file = keys->config->secrets[at].file;
    struct stamp stamp = stamp_of(file);
    bool changed = false;
    struct err err = {0};

    if (same_stamp(&stamp, &keys->stamps[at])) {
        return false;
    }
    keys->stamps[at] = stamp;
    if (read_again(keys, at, &changed, &err) != ST_OK) {
        log_warn("a secret's file has changed and cannot be used, the old secret stays",
                 L_STR("source", keys->config->name), L_STR("error", err.text));
    } else if (changed) {
        log_info("secret read again", L_STR("source", keys->config->name), L_STR("file", file));
    }
    return changed;
}

/* True if other secrets count now. */
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

bool intake_keys_have_headers(const struct intake_keys *keys, const struct delivery *head)
{
    return verifier_has_headers(keys->verifier, head);
}

enum status intake_keys_check(struct intake_keys *keys, const struct delivery *delivery)
{
    int64_t now_ms = clock_mono_ms();
    enum status st;

    /* A secret that was taken away must stop counting, also if only its owner delivers. */
    if (now_ms >= keys->next_look_ms) {
        keys->next_look_ms = now_ms + LOOK_EVERY_MS;
        (void)look(keys);
    }
    st = verifier_check(keys->verifier, delivery);
    if (st == ST_UNAUTHENTIC && look(keys)) {
        st = verifier_check(keys->verifier, delivery);
    }
    return st;
}

/* --- life --- */

/* The configuration has read the file, but maybe before it last changed: only with a stamp that
 * is older than what we have can a change be noticed. */
static void take_value(struct intake_keys *keys, size_t at)
{
    const struct config_secret *secret = &keys->config->secrets[at];
    struct err ignored;
    bool changed;

    buf_add_slice(&keys->values[at], buf_slice(&secret->value));
    if (secret->file != NULL) {
        keys->next_look_ms = 0;
        keys->stamps[at] = stamp_of(secret->file);
        /* If it cannot be read any more, what the configuration has counts. */
        (void)read_again(keys, at, &changed, &ignored);
    }
}

enum status intake_keys_create(const struct config_source *config,
                               struct intake_keys **out_keys, struct err *err)
{
    struct intake_keys *keys = xalloc(sizeof(*keys));
    enum status st;

    keys->config = config;
    keys->next_look_ms = INT64_MAX;
    keys->values = xalloc((config->secret_count + 1) * sizeof(keys->values[0]));
    keys->stamps = xalloc((config->secret_count + 1) * sizeof(keys->stamps[0]));
    for (size_t i = 0; i < config->secret_count; i++) {
        take_value(keys, i);
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
    config_secrets_free(keys->values, keys->config->secret_count);
    free(keys->stamps);
    free(keys);
}
