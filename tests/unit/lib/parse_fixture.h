/*
 * parse_fixture - parsers and deliveries for the tests of parse, in a line each.
 */
#ifndef TESTS_UNIT_LIB_PARSE_FIXTURE_H
#define TESTS_UNIT_LIB_PARSE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/json.h"

#include "bridge/parse/parse.h"

#include "tests/unit/lib/presets.h"

static inline void assert_slice(struct slice got, const char *want)
{
    if (!slice_equal(got, slice_of(want)) || (got.data == NULL) != (want == NULL)) {
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(got), want ? want : "(absent)");
    }
}

static inline struct parser *make_parser(const struct provider *provider)
{
    struct parser *parser = NULL;
    const char *key = NULL;
    struct err err = {0};

    if (parser_create(provider, &parser, &key, &err) != ST_OK) {
        fail_msg("%s: %s", key, err.text);
    }
    assert_null(key);
    return parser;
}

/* An array of headers ends with one without a name. */
struct header {
    const char *name;
    struct slice value;
};

static inline size_t find_header(void *ctx, const char *name, struct slice *out_values,
                                 size_t room)
{
    size_t count = 0;

    out_values[0] = SLICE_NONE;
    for (const struct header *header = ctx; header->name; header++) {
        if (slice_equal_nocase(slice_of(header->name), slice_of(name))) {
            if (count < room) {
                out_values[count] = header->value;
            }
            count++;
        }
    }
    return count;
}

static struct header no_headers[] = {{NULL, SLICE_NONE}};

/* A delivery with neither headers nor a suffix. */
static inline struct delivery plain(struct slice body)
{
    return (struct delivery){.body = body, .header = find_header, .ctx = no_headers};
}

static inline enum status read_once(const struct provider *provider, struct delivery delivery,
                                    const struct event *known, struct parsed *out)
{
    struct parser *parser = make_parser(provider);
    enum status st = parser_read(parser, &delivery, known, out);

    parser_destroy(parser);
    return st;
}

/* Fails unless the delivery parses. The result may outlive the parser: literal text of a template
 * belongs to the provider. */
static inline struct parsed read_well(const struct provider *provider, struct delivery delivery)
{
    struct parsed parsed;

    if (read_once(provider, delivery, NULL, &parsed) != ST_OK) {
        fail_msg("%.*s: %s", SLICE_ARG(delivery.body), parsed.reason);
    }
    assert_string_equal(parsed.reason, "");
    return parsed;
}

static inline void assert_refused(const struct provider *provider, struct delivery delivery,
                                  enum status want, const char *reason)
{
    struct parsed parsed;

    assert_int_equal(read_once(provider, delivery, NULL, &parsed), want);
    assert_string_equal(parsed.reason, reason);
    parsed_fini(&parsed);
}

#endif
