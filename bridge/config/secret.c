/*
 * Secrets: from the environment, from a file, or (with a warning) from the text itself. What cannot
 * be had is a fault, or a warning where the caller can do without. Every copy is wiped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "common/file.h"
#include "common/json.h"
#include "common/utf8.h"
#include "common/nearest.h"

#include "bridge/config/internal.h"
#include "bridge/verify/verify.h"

static void secret_from_env(struct reader *reader, const char *name, struct buf *out)
{
    const char *value = config_variable(reader, slice_of(name));

    if (value) {
        buf_add_str(out, value);
        if (out->len == 0) {
            reader_miss(reader, "the environment variable %s is empty", name);
        }
    }
}

static void secret_from_file(struct reader *reader, const char *path, struct config_secret *out)
{
    struct err err = {0};
    enum status st = file_read_secret(path, &out->value, &err);
    struct stat info;

    out->file = xstrdup(path);
    out->missing = st == ST_NOT_FOUND;
    out->empty = st == ST_OK && out->value.len == 0;
    if (out->missing || out->empty) {
        return;
    }
    if (st != ST_OK) {
        reader_miss(reader, "cannot be read: %s", err.text);
        return;
    }
    if (stat(path, &info) == 0 && (info.st_mode & S_IROTH)) {
        config_warn(reader->faults, reader_path(reader),
                    "every user of this machine can read %s; chmod o-r helps", path);
    }
}

static void unknown_secret_key(struct reader *reader, struct slice key)
{
    struct nearest near = {.text = key};
    char question[NEAREST_TEXT_SIZE];

    nearest_offer(&near, "env");
    nearest_offer(&near, "file");
    if (near.word) {
        config_fault(reader->faults, reader_path(reader), "unknown key%s",
                     nearest_question(&near, "", question));
    } else {
        config_fault(reader->faults, reader_path(reader), "unknown key; known here: env, file");
    }
}

static void secret_from_member(struct reader *reader, const char *key,
                               struct json_object *value, struct config_secret *out)
{
    bool from_env = strcmp(key, "env") == 0;
    struct buf text = {0};

    if (!from_env && strcmp(key, "file") != 0) {
        unknown_secret_key(reader, slice_of(key));
    } else if (!json_object_is_type(value, json_type_string)) {
        config_wrong_type(reader, "text in quotes", value);
    } else if (config_expand_text(reader, value, &text)) {
        if (from_env) {
            secret_from_env(reader, text.data, &out->value);
        } else {
            secret_from_file(reader, text.data, out);
        }
    }
    buf_free(&text);
}

/* {"env": "NAME"} or {"file": "PATH"} */
static void secret_from_object(struct reader *reader, struct json_object *object,
                               struct config_secret *out)
{
    bool one = json_object_object_length(object) == 1;

    json_object_object_foreach(object, key, value)
    {
        size_t offset = reader_enter_key(reader, slice_of(key));

        /* Of several only the unknown ones are looked at: for their spelling. */
        if (one || (strcmp(key, "env") != 0 && strcmp(key, "file") != 0)) {
            secret_from_member(reader, key, value, out);
        }
        reader_leave(reader, offset);
    }
    if (!one) {
        config_fault(reader->faults, reader_path(reader),
                     "must contain either \"env\" or \"file\", and nothing else");
    }
}

static void secret_from_text(struct reader *reader, struct json_object *value, struct buf *out)
{
    bool varied;

    if (!config_expand(reader, value, out, &varied)) {
        buf_wipe(out);
    } else if (out->len == 0) {
        config_fault(reader->faults, reader_path(reader), "must not be empty");
    } else if (!varied) {
        config_warn(reader->faults, reader_path(reader),
                    "stands in this file as text; {\"env\": \"NAME\"} or {\"file\": \"PATH\"} "
                    "keeps it out of copies and backups");
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void read_secret(struct reader *reader, struct json_object *value, bool optional,
                        struct config_secret *out)
{
    const struct buf *text = &out->value;

    reader->optional = optional;
    if (json_object_is_type(value, json_type_object)) {
        secret_from_object(reader, value, out);
    } else if (json_object_is_type(value, json_type_string)) {
        secret_from_text(reader, value, &out->value);
    } else {
        config_wrong_type(reader, setting_words(SETTING_SECRET)->what, value);
    }
    reader->optional = false;
    if (text->len > 0 && (is_space(text->data[0]) || is_space(text->data[text->len - 1]))) {
        config_warn(reader->faults, reader_path(reader),
                    "begins or ends with white space, which counts as part of the secret");
    }
}

void config_read_source_secret(struct reader *reader, struct json_object *value,
                               struct config_secret *out)
{
    read_secret(reader, value, reader->partial, out);
}

void config_report_missing(struct reader *reader, const struct config_secret *secret)
{
    size_t offset = reader_enter_key(reader, SLICE("file"));

    if (secret->empty) {
        reader_miss(reader, "%s is empty", secret->file);
    } else {
        reader_miss(reader, "cannot be read: open %s: %s", secret->file, strerror(ENOENT));
    }
    reader_leave(reader, offset);
}

static void read_lone_secret(struct reader *reader, struct json_object *value, bool optional,
                             struct config_secret *out)
{
    read_secret(reader, value, optional, out);
    if (out->missing || out->empty) {
        reader->optional = optional;
        config_report_missing(reader, out);
        reader->optional = false;
    }
}

void config_read_secret(struct reader *reader, struct json_object *value, bool for_commands,
                        struct buf *out)
{
    struct config_secret secret = {0};

    read_lone_secret(reader, value, reader->partial || for_commands, &secret);
    free(secret.file);
    *out = secret.value;
}

void config_read_live_secret(struct reader *reader, struct json_object *value,
                             struct config_secret *out)
{
    read_lone_secret(reader, value, reader->partial, out);
}

enum status config_read_secret_again(const struct config_source *source, size_t i,
                                     struct buf *out, struct err *err)
{
    const struct config_secret *secret = &source->secrets[i];
    enum status st;

    if (!secret->file) {
        buf_add_slice(out, buf_slice(&secret->value));
        return ST_OK;
    }
    st = file_read_secret(secret->file, out, err);
    if (st != ST_OK) {
        return st;
    }
    st = verify_check_secret(&source->provider->signature, buf_slice(out), err);
    if (st != ST_OK) {
        buf_wipe(out);
        return err_wrap(err, "%s", secret->file);
    }
    return ST_OK;
}

/* Ingress threads note, a reload asks. */
static pthread_mutex_t latest_mu = PTHREAD_MUTEX_INITIALIZER;

void config_note_secret(const struct config_source *source, size_t i, struct slice value)
{
    struct buf *latest = &source->secrets[i].latest;

    CHECK(pthread_mutex_lock(&latest_mu) == 0);
    buf_wipe(latest);
    buf_add_slice(latest, value);
    CHECK(pthread_mutex_unlock(&latest_mu) == 0);
}

static void add_latest(struct buf *out, const struct config_secret *secret)
{
    CHECK(pthread_mutex_lock(&latest_mu) == 0);
    buf_add_slice(out, buf_slice(secret->latest.len > 0 ? &secret->latest : &secret->value));
    CHECK(pthread_mutex_unlock(&latest_mu) == 0);
}

static const struct config_secret *find_secret(const struct config *config, const char *source,
                                               const char *file)
{
    for (size_t i = 0; i < config->source_count; i++) {
        const struct config_source *one = &config->sources[i];

        for (size_t k = 0; k < one->secret_count && strcmp(one->name, source) == 0; k++) {
            if (one->secrets[k].file && strcmp(one->secrets[k].file, file) == 0) {
                return &one->secrets[k];
            }
        }
    }
    return NULL;
}

void config_keep_secrets(struct config *config, const struct config *before)
{
    for (size_t i = 0; i < config->source_count; i++) {
        struct config_source *source = &config->sources[i];

        for (size_t k = 0; k < source->secret_count; k++) {
            struct config_secret *secret = &source->secrets[k];
            const struct config_secret *old =
                secret->missing || secret->empty
                    ? find_secret(before, source->name, secret->file)
                    : NULL;

            if (old) {
                buf_clear(&secret->value);
                add_latest(&secret->value, old);
            }
        }
    }
}
