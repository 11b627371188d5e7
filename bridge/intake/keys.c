/*
 * The secrets of one source. Those from files are read again when a file has changed; each file
 * counts for itself, so that one that is missing does not keep another one's new secret out.
 *
 * A file is looked at by its stamp: who it is and when it changed. The stamp is taken before
 * the file is read, so what is written in between is found the next time. What could not be read
 * for reasons that may pass (no descriptor is left) is tried again.
 */
#include "bridge/intake/internal.h"

#include <stdlib.h>

#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"

enum {
    LOOK_EVERY_MS = 1000,
    REPLACED_MS = 60 * 1000, /* more than most requests take, or are allowed to */
};

struct stamp {
    bool taken;   /* else it is like none that is */
    dev_t device; /* all that follows is 0: there is no such file */
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct key {
    struct buf value;  /* empty: could not be read yet */
    struct stamp read; /* of the file when it was read last, or is known to hold none */
    struct stamp told; /* when a fault was logged last */
};

struct intake_keys {
    const struct config_source *config;
    struct key *keys; /* one for each of its secrets */
    struct verifier *verifier;
    unsigned generation; /* of the verifier: 1, 2, … */
    struct verifier
        *replaced; /* the generation before, for deliveries that had begun; or NULL */
    int64_t forget_replaced_ms;
    int64_t next_look_ms; /* monotonic; INT64_MAX: none of them is from a file */
};

/* --- files --- */

static struct stamp stamp_of(const char *file)
{
    struct stat info;

    if (stat(file, &info) != 0) {
        return (struct stamp){.taken = true}; /* why it cannot be read is said by reading it */
    }
    return (struct stamp){.taken = true,
                          .device = info.st_dev,
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
    return a->taken == b->taken && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && same_time(a->modified, b->modified) &&
           same_time(a->changed, b->changed);
}

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
    verifier_destroy(keys->replaced);
    keys->replaced = keys->verifier;
    keys->forget_replaced_ms = clock_mono_ms() + REPLACED_MS;
    keys->verifier = verifier;
    keys->generation++;
    return true;
}

static void tell(const struct intake_keys *keys, struct key *key, const struct stamp *stamp,
                 const struct err *err)
{
    if (!same_stamp(stamp, &key->told)) {
        key->told = *stamp;
        log_warn("a secret's file has changed and cannot be used, the old secret stays",
                 L_STR("source", keys->config->name), L_STR("error", err->text));
    }
}

/* True if it holds another secret now. A secret that is there stays if its file holds none. */
static bool look_at_file(struct intake_keys *keys, size_t at)
{
    const char *file = keys->config->secrets[at].file;
    struct key *key = &keys->keys[at];
    struct stamp stamp = stamp_of(file);
    struct buf value = {0};
    struct err err = {0};
    enum status st;
    bool changed;

    if (same_stamp(&stamp, &key->read)) {
        return false;
    }
    st = config_read_secret_again(keys->config, at, &value, &err);
    if (st != ST_IO) {
        key->read = stamp;
    }
    if (st != ST_OK) {
        if (key->value.len > 0 || st != ST_NOT_FOUND) {
            tell(keys, key, &stamp, &err);
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

/* A secret that was taken away must stop counting, also if only its owner delivers. */
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
