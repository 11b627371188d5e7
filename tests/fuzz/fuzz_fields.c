/*
 * Input: two field templates (event, gid), a header's value, the end of the URL and a body, with a
 * NUL between them. Checks that
 * - one pass over the body finds the same fields as looking up their parts one by one
 * - a quarantined delivery has a reason that can be shown
 * - a dead letter, of which only the body is left, is read again with the same result
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/json.h"
#include "common/utf8.h"

#include "bridge/parse/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT = 256 }; /* longer inputs find nothing more, only slower */

/* A delivery in which every header has the same value, except those that appear twice. */
static size_t find_header(void *ctx, const char *name, struct slice *out_values, size_t room)
{
    (void)room;
    out_values[0] = *(struct slice *)ctx;
    return name[0] == '2' ? 2 : 1;
}

/* ---- the same result, computed in the simplest way ---- */

/* libFuzzer must not be steered by the branches of the checks themselves; that also saves time. */
#ifdef __clang__
#define NOT_TRACED __attribute__((no_sanitize("coverage")))
#else
#define NOT_TRACED /* so that other compilers, which have no libFuzzer, do not warn */
#endif

NOT_TRACED static struct json_value find(struct slice text, struct slice name)
{
    struct buf compiled = {0};
    struct json_value value;

    CHECK(json_compile_path(name, &compiled, NULL) == ST_OK);
    value = json_find(text, buf_slice(&compiled));
    buf_free(&compiled);
    return value;
}

/* Follows the path name by name, from object to object. */
NOT_TRACED static struct slice walk(struct parsed *store, struct slice body, struct slice path)
{
    struct json_value value = {JSON_OBJECT, json_skip_mark(body)};
    struct buf compiled = {0};
    struct slice text;
    const char *dot;

    while (value.kind == JSON_OBJECT && (dot = memchr(path.data, '.', path.len)) != NULL) {
        size_t len = (size_t)(dot - path.data);

        value = find(value.raw, (struct slice){path.data, len});
        path = (struct slice){dot + 1, path.len - len - 1};
    }
    if (value.kind != JSON_OBJECT) {
        return SLICE_NONE;
    }
    CHECK(json_compile_path(path, &compiled, NULL) == ST_OK);
    text = parse_body_text(store, value.raw, buf_slice(&compiled));
    buf_free(&compiled);
    return text;
}

NOT_TRACED static struct slice look_up(struct parsed *store, const struct delivery *delivery,
                                       struct slice name)
{
    if (slice_starts_with(name, SLICE("body."))) {
        struct slice path = {name.data + 5, name.len - 5};

        return walk(store, delivery->body, path);
    }
    if (slice_starts_with(name, SLICE("header."))) {
        struct slice value = *(struct slice *)delivery->ctx;

        return name.data[7] != '2' && utf8_is_fit(value) ? value : SLICE_NONE;
    }
    return delivery->suffix.len > 0 && utf8_is_fit(delivery->suffix) &&
                   memchr(delivery->suffix.data, '/', delivery->suffix.len) == NULL
               ? delivery->suffix
               : SLICE_NONE;
}

/* Adds the text of one alternative to out; false if a part is missing. */
NOT_TRACED static bool evaluate(struct parsed *store, const struct delivery *delivery,
                                struct slice alternative, struct buf *out)
{
    for (size_t i = 0; i < alternative.len;) {
        const char *p = alternative.data + i;
        const char *close = *p == '{' ? memchr(p, '}', alternative.len - i) : NULL;
        struct slice text = {p, 1};

        i += close ? (size_t)(close + 1 - p) : 1;
        if (close) {
            text = look_up(store, delivery, (struct slice){p + 1, (size_t)(close - p - 1)});
        }
        if (text.data == NULL) {
            return false;
        }
        buf_add_slice(out, text);
    }
    return true;
}

/* The end of the alternative at text: a `|` outside of the parts, or the end of the text. */
NOT_TRACED static size_t alternative_len(const char *text)
{
    size_t len = 0;

    while (text[len] != '\0' && text[len] != '|') {
        len = text[len] == '{' ? (size_t)(strchr(text + len, '}') - text) : len;
        len++;
    }
    return len;
}

NOT_TRACED static void check_field(const char *template, const struct delivery *delivery,
                                   struct slice got)
{
    static struct buf want;
    struct parsed store = {0};
    bool there = false;

    if (strchr(template, '"')) {
        return; /* names in quotes, which may contain what is looked for here */
    }
    while (!there && *template != '\0') {
        size_t len = alternative_len(template);

        buf_clear(&want);
        there = len > 0 && /* a `|` alone means that there is no field */
                evaluate(&store, delivery, (struct slice){template, len}, &want);
        template += len + (template[len] == '|');
    }
    CHECK(there == (got.data != NULL));
    CHECK(!there || slice_equal(buf_slice(&want), got));
    parsed_fini(&store);
}

/* ---- the check ---- */

NOT_TRACED static void check_text(struct slice text)
{
    CHECK(text.len <= PARSE_MAX_FIELD && utf8_valid(text));
}

NOT_TRACED static void read_again(const struct parser *parser, struct slice body,
                                  const struct parsed *first)
{
    const struct event known = {
        .event = first->event, .resource_type = first->resource_type, .gid = first->gid};
    const struct delivery delivery = {.body = body};
    struct parsed again;
    enum status st = parser_read(parser, &delivery, &known, &again);

    CHECK(st == ST_OK);
    CHECK(slice_equal(again.event, first->event));
    CHECK(slice_equal(again.resource_type, first->resource_type));
    CHECK(slice_equal(again.gid, first->gid) && !again.gid.data == !first->gid.data);
    CHECK(again.deletion == first->deletion);
    parsed_fini(&again);
}

static void read_delivery(const struct parser *parser, const struct provider *provider,
                          const struct delivery *delivery)
{
    struct parsed parsed;
    enum status st = parser_read(parser, delivery, NULL, &parsed);
    struct slice reason = slice_of(parsed.reason);

    check_text(parsed.event);
    check_text(parsed.resource_type);
    check_text(parsed.gid);
    check_text(parsed.challenge);
    CHECK((st == ST_OK) == (reason.len == 0) && utf8_valid(reason));
    if (st != ST_OK) {
        CHECK(st == ST_INVALID || st == ST_MISSING);
    } else if (parsed.challenge.data) {
        CHECK(json_find(json_skip_mark(delivery->body), SLICE("t")).kind == JSON_STRING);
        CHECK(parsed.event.data == NULL);
    } else {
        check_field(provider->fields.event, delivery, parsed.event);
        check_field(provider->fields.gid, delivery, parsed.gid);
        CHECK(slice_starts_with(parsed.event, parsed.resource_type));
        read_again(parser, delivery->body, &parsed);
    }
    parsed_fini(&parsed);
}

/* The text up to the next NUL, and moves *at behind it; NULL if there is none. */
static const char *next_text(const char **at, const char *end)
{
    const char *text = *at;
    const char *nul = memchr(text, '\0', (size_t)(end - text));

    *at = nul ? nul + 1 : text;
    return nul ? text : NULL;
}

static void run(const struct provider *provider, const struct delivery *delivery)
{
    struct parser *parser = NULL;
    const char *key = NULL;
    struct err err = {0};

    if (parser_create(provider, &parser, &key, &err) == ST_OK) {
        read_delivery(parser, provider, delivery);
        parser_destroy(parser);
    } else {
        CHECK(parser == NULL && err.text[0] != '\0');
        CHECK(strcmp(key, "event") == 0 || strcmp(key, "gid") == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    const char *end = at + (size < MAX_INPUT ? size : MAX_INPUT);
    const char *event = next_text(&at, end), *gid = next_text(&at, end);
    const char *value = next_text(&at, end), *suffix = next_text(&at, end);
    struct slice header = slice_of(value);
    const struct provider provider = {
        .takes_suffix = true,
        .fields = {.event = event, .gid = gid, .deletion_event = "*d"},
        .challenge = {.field = "t", .value = "v", .echo = "c"},
    };
    const struct delivery delivery = {.body = {at, (size_t)(end - at)},
                                      .suffix = slice_of(suffix),
                                      .header = find_header,
                                      .ctx = &header};

    if (suffix) {
        run(&provider, &delivery);
    }
    return 0;
}
