/*
 * A property test from the delivery to the topic, with random sources and crafted events: any value
 * from a body, a header or the URL stays in the topic level that the source's template gives it, and
 * two different values make two different topics.
 *
 * Each source is made from a seed; a failure prints it, and TOPICS_SEED=<seed> runs it alone.
 */
#include "tests/unit/lib/topics_random.h"

#include "common/encode.h"

enum {
    SOURCES = 20000,
    EVENTS_PER_SOURCE = 16,
};

/* One delivery, parsed and routed. */
struct routed {
    struct parsed parsed;
    struct route_values values;
    struct buf topic;
    struct slice levels[MAX_LEVELS];
};

static struct slice body_value(struct routed *routed, struct slice path)
{
    struct buf compiled = {0};
    struct slice value;

    assert_int_equal(json_compile_path(path, &compiled, NULL), ST_OK);
    value = parse_body_text(&routed->parsed, routed->values.body, buf_slice(&compiled));
    buf_free(&compiled);
    return value;
}

static struct slice value_of(struct routed *routed, const char *variable)
{
    const struct route_values *values = &routed->values;
    struct slice name = slice_of(variable), event = values->event;

    switch (variable[0]) {
    case 's':
        return values->source;
    case 'e':
        return event;
    case 'g':
        return values->gid;
    case 'i':
        return values->id;
    case 'b':
        return body_value(routed, slice_from(name, 5));
    case 'a':
        for (size_t i = event.len; i > 0; i--) {
            if (event.data[i - 1] == '.') {
                return (struct slice){event.data + i, event.len - i};
            }
        }
        return event;
    default:
        return values->resource_type;
    }
}

static void check_bytes(struct slice topic)
{
    REQUIRE(topic.len > 0 && topic.len <= ROUTE_MAX_TOPIC, "%zu bytes", topic.len);
    REQUIRE(topic.data[0] != '$', "the broker's own: %.*s", SLICE_ARG(topic));
    REQUIRE(utf8_is_fit(topic), "not fit: %.*s", SLICE_ARG(topic));
    REQUIRE(memchr(topic.data, '+', topic.len) == NULL &&
                memchr(topic.data, '#', topic.len) == NULL,
            "a wildcard: %.*s", SLICE_ARG(topic));
}

static void split(const struct source *source, struct routed *routed)
{
    struct slice rest = buf_slice(&routed->topic);
    size_t count = 0;

    for (;;) {
        const char *slash = memchr(rest.data, '/', rest.len);
        size_t len = slash ? (size_t)(slash - rest.data) : rest.len;

        REQUIRE(count < source->level_count, "%s became %s", source->topic.data,
                routed->topic.data);
        routed->levels[count++] = (struct slice){rest.data, len};
        if (slash == NULL) {
            break;
        }
        rest = (struct slice){slash + 1, rest.len - len - 1};
    }
    REQUIRE(count == source->level_count, "%s became %s", source->topic.data,
            routed->topic.data);
}

/* The level decodes to exactly the value. */
static void check_value(struct slice level, struct slice value)
{
    struct slice rest = value;

    if (value.len == 0) {
        REQUIRE(slice_equal(level, SLICE("_")), "an empty value became %.*s", SLICE_ARG(level));
        return;
    }
    for (size_t i = 0; i < level.len; i++) {
        uint8_t byte = (uint8_t)level.data[i];

        if (level.data[i] == '%') {
            REQUIRE(level.len - i >= 3 &&
                        decode_hex((struct slice){level.data + i + 1, 2}, &byte, 1),
                    "no encoding: %.*s", SLICE_ARG(level));
            i += 2;
        }
        REQUIRE(rest.len > 0 && (uint8_t)rest.data[0] == byte, "%.*s became %.*s",
                SLICE_ARG(value), SLICE_ARG(level));
        rest = (struct slice){rest.data + 1, rest.len - 1};
    }
    REQUIRE(rest.len == 0, "%.*s became %.*s", SLICE_ARG(value), SLICE_ARG(level));
}

static void check_levels(const struct source *source, struct routed *routed)
{
    for (size_t i = 0; i < source->level_count; i++) {
        const struct level *level = &source->levels[i];
        struct slice got = routed->levels[i];
        struct buf literal = {0};
        bool all_literal = true;

        for (size_t j = 0; j < level->count; j++) {
            const char *text = level->pieces[j].literal;

            all_literal = all_literal && text;
            buf_add_str(&literal, text && all_literal ? text : "");
        }
        REQUIRE(slice_starts_with(got, buf_slice(&literal)), "%s became %s", source->topic.data,
                routed->topic.data);
        REQUIRE(!all_literal || got.len == literal.len, "%s became %s", source->topic.data,
                routed->topic.data);
        buf_free(&literal);
        if (level->count == 1 && !all_literal) {
            check_value(got, value_of(routed, level->pieces[0].variable));
        }
    }
}

static void check_field(const struct field *field, const struct sent *sent, struct slice got)
{
    static struct buf want;

    REQUIRE(expect_field(field, sent, &want) && slice_equal(got, buf_slice(&want)),
            "%s was read as %.*s from %s", field->template.data, SLICE_ARG(got),
            sent->body.data);
}

static bool too_long(const struct field *field, const struct sent *sent)
{
    static struct buf want;

    return expect_field(field, sent, &want) && want.len > PARSE_MAX_FIELD;
}

static void check_refused(const struct source *source, const struct sent *sent,
                          const struct parsed *parsed, enum status st)
{
    static struct buf want;
    bool all = expect_field(&source->event, sent, &want) &&
               (!source->has_type || expect_field(&source->type, sent, &want)) &&
               expect_field(&source->gid, sent, &want);
    bool fits = !too_long(&source->event, sent) && !too_long(&source->gid, sent) &&
                !(source->has_type && too_long(&source->type, sent));

    REQUIRE(st == ST_MISSING ? !all : st == ST_INVALID && !fits, "%s: %s", parsed->reason,
            sent->body.data);
}

/* True if the delivery became a topic. routed->topic is reused. */
static bool route_delivery(const struct source *source, const struct sent *sent,
                           struct routed *routed)
{
    enum status st = parser_read(source->parser, &sent->delivery, NULL, &routed->parsed);
    const struct parsed *parsed = &routed->parsed;

    if (!sent->is_json) {
        REQUIRE(st == ST_INVALID, "taken for JSON: %s", sent->body.data);
        return false;
    }
    if (st != ST_OK) {
        check_refused(source, sent, parsed, st);
        return false;
    }
    check_field(&source->event, sent, parsed->event);
    check_field(&source->gid, sent, parsed->gid);
    if (source->has_type) {
        check_field(&source->type, sent, parsed->resource_type);
    }
    routed->values = (struct route_values){
        .source = SLICE("partners"),
        .resource_type = parsed->resource_type,
        .event = parsed->event,
        .gid = parsed->gid,
        .id = SLICE("0199a8f0-0000-7000-8000-000000000000"),
        .body = sent->delivery.body,
        .parsed = &routed->parsed,
    };
    buf_clear(&routed->topic);
    st = route_topic(source->route, &routed->values, &routed->topic);
    if (st != ST_OK) {
        REQUIRE(st == ST_TOO_LARGE && routed->topic.len == 0, "%d", st);
        return false;
    }
    check_bytes(buf_slice(&routed->topic));
    split(source, routed);
    check_levels(source, routed);
    return true;
}

static bool share_a_level(struct slice a, struct slice b)
{
    bool a_empty = a.len == 0 || slice_equal(a, SLICE("_"));
    bool b_empty = b.len == 0 || slice_equal(b, SLICE("_"));

    return (a_empty && b_empty) || slice_equal(a, b);
}

static void check_apart(const struct source *source, struct routed *a, struct routed *b)
{
    for (size_t i = 0; i < source->level_count; i++) {
        const struct level *level = &source->levels[i];

        if (level->count == 1 && level->pieces[0].variable) {
            struct slice one = value_of(a, level->pieces[0].variable);
            struct slice other = value_of(b, level->pieces[0].variable);

            REQUIRE(slice_equal(a->levels[i], b->levels[i]) == share_a_level(one, other),
                    "%.*s and %.*s: %s, %s", SLICE_ARG(one), SLICE_ARG(other), a->topic.data,
                    b->topic.data);
        }
    }
}

static size_t try_source(uint64_t number)
{
    struct source source = {0};
    struct sent sent[2] = {0};
    struct routed routed[2] = {0};
    bool there[2] = {false, false};
    size_t count = 0;

    seed = rng = number;
    source_init(&source);
    for (unsigned i = 0; i < EVENTS_PER_SOURCE; i++) {
        unsigned now = i % 2, before = 1 - now;

        parsed_fini(&routed[now].parsed);
        send(&sent[now]);
        there[now] = route_delivery(&source, &sent[now], &routed[now]);
        count += there[now];
        if (there[now] && there[before]) {
            check_apart(&source, &routed[now], &routed[before]);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        parsed_fini(&routed[i].parsed);
        buf_free(&routed[i].topic);
        sent_fini(&sent[i]);
    }
    source_fini(&source);
    return count;
}

static void no_value_leaves_its_topic_level_or_meets_another(void **state)
{
    const char *only = getenv("TOPICS_SEED");
    size_t count = 0;

    (void)state;
    if (only) {
        (void)try_source(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t number = 1; number <= SOURCES; number++) {
        count += try_source(number);
    }
    /* If most deliveries were refused, the generator would test nothing. */
    assert_in_range(count, SOURCES * EVENTS_PER_SOURCE / 4, SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_value_leaves_its_topic_level_or_meets_another),
    };

    return cmocka_run_group_tests_name("topics", tests, NULL, NULL);
}
