/*
 * intake_fixture - an intake with a configuration from a file, in front of a fake outbox that
 * records events; and deliveries to it, signed as their provider would sign them.
 */
#ifndef TESTS_UNIT_LIB_INTAKE_FIXTURE_H
#define TESTS_UNIT_LIB_INTAKE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ftw.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"

#include "bridge/intake/intake.h"
#include "bridge/metrics.h"
#include "bridge/verify/verify.h"

#include "tests/unit/lib/presets.h"

enum { MAX_HEADERS = 8 };

/* ---- a fake outbox that records the last event ---- */

static struct {
    enum status submit_status;
    enum status done_status;
    bool duplicate;
    bool later; /* do not answer until answer_pending */
    unsigned count;
    struct event *event; /* the last one */
    outbox_done_fn *done;
    void *ctx;
} fake;

static inline void answer_pending(void)
{
    struct outbox_result result = {fake.done_status, fake.duplicate, fake.event->id};

    fake.done(fake.ctx, &result);
}

enum status outbox_submit(struct outbox *ob, struct event *event, outbox_done_fn *done,
                          void *ctx)
{
    assert_ptr_equal(ob, &fake);
    event_free(fake.event);
    fake.event = event;
    fake.count++;
    fake.done = done;
    fake.ctx = ctx;
    if (fake.submit_status == ST_OK && !fake.later) {
        answer_pending();
    }
    return fake.submit_status;
}

/* ---- the configuration, in a directory of its own ---- */

static char dir[64];
static struct config *config;
static struct intake *intake;
static struct outbox *const outbox = (struct outbox *)&fake;

static inline void write_file(const char *name, const char *text)
{
    char path[128], new_path[136];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    snprintf(new_path, sizeof(new_path), "%s.new", path);
    file = fopen(new_path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(new_path, path), 0);
}

static inline void remove_file(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(unlink(path), 0);
}

/* sources: the members of the array, with ' for " and @ for the directory. */
static inline void load(const char *sources)
{
    struct config_faults faults = {0};
    struct buf text = {0};
    char path[80];

    buf_add_str(&text, "{\"sources\":[");
    for (const char *c = sources; *c != '\0'; c++) {
        if (*c == '@') {
            buf_add_str(&text, dir);
        } else {
            buf_add_char(&text, *c == '\'' ? '"' : *c);
        }
    }
    buf_add_str(&text, "]}");
    write_file("bridge.json", text.data);
    buf_free(&text);
    snprintf(path, sizeof(path), "%s/bridge.json", dir);
    config_destroy(config);
    config = NULL;
    if (config_load(path, &config, &faults) != ST_OK) {
        for (size_t i = 0; i < faults.count; i++) {
            print_message("%s: %s\n", faults.items[i].path, faults.items[i].text);
        }
        fail_msg("the configuration is wrong");
    }
    config_faults_free(&faults);
}

/* Starts again with the current configuration. */
static inline void recreate(void)
{
    struct err err = {0};

    intake_drop(intake);
    intake = NULL;
    if (intake_create(config, outbox, &intake, &err) != ST_OK) {
        fail_msg("%s", err.text);
    }
}

static inline void use(const char *sources)
{
    load(sources);
    recreate();
}

static inline int set_up_empty(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    snprintf(dir, sizeof(dir), "/tmp/test-intake-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static inline int remove_one(const char *path, const struct stat *info, int type,
                             struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int tear_down(void **state)
{
    (void)state;
    intake_drop(intake);
    intake = NULL;
    config_destroy(config);
    config = NULL;
    event_free(fake.event);
    fake.event = NULL;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- deliveries and their answers ---- */

static struct {
    unsigned count;
    struct intake_result result;
    char reason[256];
    char challenge[256];
} answer;

static inline void note_answer(void *ctx, const struct intake_result *result)
{
    assert_ptr_equal(ctx, &answer);
    answer.count++;
    answer.result = *result;
    snprintf(answer.reason, sizeof(answer.reason), "%.*s", SLICE_ARG(result->reason));
    snprintf(answer.challenge, sizeof(answer.challenge), "%.*s", SLICE_ARG(result->challenge));
}

/* Lines `Name: value`, as verifier_sign writes them. */
struct headers {
    char text[1024];
};

static inline void add_headers(struct headers *headers, const char *lines)
{
    size_t len = strlen(headers->text);

    snprintf(headers->text + len, sizeof(headers->text) - len, "%s%s", len > 0 ? "\n" : "",
             lines);
}

static inline size_t find_header(void *ctx, const char *name, struct slice *out_values,
                                 size_t room)
{
    struct headers *headers = ctx;
    size_t name_len = strlen(name), count = 0;

    out_values[0] = SLICE_NONE;
    for (const char *line = headers->text; *line != '\0'; line += *line == '\n') {
        size_t len = strcspn(line, "\n");

        if (len >= name_len + 2 && strncasecmp(line, name, name_len) == 0 &&
            line[name_len] == ':') {
            if (count < room) {
                out_values[count] = (struct slice){line + name_len + 2, len - name_len - 2};
            }
            count++;
        }
        line += len;
    }
    return count;
}

/* There must be a source for path. */
static inline void deliver_with(const char *path, struct headers *headers, struct slice body)
{
    struct delivery delivery = {
        .body = body, .received_ms = 1700000000123, .header = find_header, .ctx = headers};
    const struct intake_source *source = intake_find(intake, slice_of(path), &delivery.suffix);

    assert_non_null(source);
    answer.count = 0;
    fake.count = 0;
    if (intake_submit(intake, source, &delivery, note_answer, &answer, NULL) ==
        ST_UNAUTHENTIC) {
        note_answer(&answer, &(struct intake_result){.status = ST_UNAUTHENTIC});
    }
}

/* Adds the headers with which the provider signs this body with this secret. */
static inline void sign(const struct provider *provider, const char *secret, const char *id,
                        struct slice body, struct headers *headers)
{
    struct slice text = slice_of(secret);
    struct verifier *signer = NULL;
    struct buf lines = {0};
    struct err err = {0};

    assert_int_equal(verifier_create(&provider->signature, &text, 1, &signer, &err), ST_OK);
    assert_int_equal(verifier_sign(signer, body, 1700000000, slice_of(id), &lines), ST_OK);
    add_headers(headers, lines.data);
    verifier_destroy(signer);
    buf_free(&lines);
}

static inline void deliver_signed(const char *path, const struct provider *provider,
                                  const char *secret, struct slice body)
{
    struct headers headers = {.text = ""};

    sign(provider, secret, NULL, body, &headers);
    deliver_with(path, &headers, body);
}

static inline void deliver_plain(const char *path, struct slice body)
{
    struct headers none = {.text = ""};

    deliver_with(path, &none, body);
}

static inline void assert_slice(struct slice got, const char *want)
{
    if (!slice_equal(got, slice_of(want)) || (got.data == NULL) != (want == NULL)) {
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(got), want ? want : "(absent)");
    }
}

static inline bool same_key(struct event_identity a, struct event_identity b)
{
    return memcmp(a.key, b.key, sizeof(a.key)) == 0;
}

static inline bool same_digest(struct event_identity a, struct event_identity b)
{
    return memcmp(a.digest, b.digest, sizeof(a.digest)) == 0;
}

/* ---- the log ---- */

/* Gives everything that is written to stderr while this runs, for free(). */
static inline char *stderr_of(void (*run)(void))
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    char *text = calloc(1, 1 << 16);

    assert_true(file && saved >= 0 && text);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    run();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(file);
    (void)!fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    return text;
}

static inline unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;

    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        count++;
    }
    return count;
}

#endif
