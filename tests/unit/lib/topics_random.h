/*
 * Random sources and crafted deliveries for test_topics.c, with the expected values of their fields.
 */
#ifndef TESTS_UNIT_LIB_TOPICS_RANDOM_H
#define TESTS_UNIT_LIB_TOPICS_RANDOM_H

#include "tests/unit/lib/parse_fixture.h"

#include "common/utf8.h"

#include "bridge/parse/route.h"

enum { MAX_LEVELS = 5, MAX_PIECES = 3 };

static uint64_t seed, rng;

/* Prints the seed of the source and fails the test. */
#define REQUIRE(condition, ...)                                                                \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            print_error("TOPICS_SEED=%llu\n", (unsigned long long)seed);                       \
            fail_msg(__VA_ARGS__);                                                             \
        }                                                                                      \
    } while (0)

/* splitmix64 */
static size_t below(size_t n)
{
    uint64_t x = rng += UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (size_t)((x ^ (x >> 31)) % n);
}

/* ---- crafted values ---- */

static const char *const atoms[] = {
    "", /* stands for a NUL */
    /* with a meaning in topics, or looking like it */
    "/", "//", "+", "#", "/#", "/+/", "$", "$SYS/", "$share/g/", "%", "%2F", "%2f", "%00",
    "%25", "..", "../", ".", "_", "\\", "\"", "{gid}", "|", " ", "a", "b", "x.updated",
    "\u00e9", "\u20ac", "\U0001F600", "\uff0f", "\u2044", "\ufeff", "\u200b", "e\u0301",
    "\ufffd",
    /* controls and non-characters */
    "\x01", "\t", "\r\n", "\x1F", "\x7F", "\xC2\x80", "\xC2\x9F", "\xEF\xB7\x90",
    "\xEF\xB7\xAF", "\xEF\xBF\xBE", "\xEF\xBF\xBF", "\xF0\x9F\xBF\xBE", "\xF4\x8F\xBF\xBF",
    /* not UTF-8: overlong, surrogates, too large, cut, alone */
    "\xC0\xAF", "\xC0\x80", "\xE0\x80\xAF", "\xF0\x80\x80\xAF", "\xED\xA0\x80", "\xED\xBF\xBF",
    "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\xAF", "\xC3", "\xE2\x82", "\x80", "\xFF"};

static void add_atom(struct buf *out, const char *atom)
{
    buf_add(out, atom, atom[0] != '\0' ? strlen(atom) : 1);
}

static void craft(struct buf *out)
{
    buf_clear(out);
    for (size_t count = below(5); count > 0; count--) {
        add_atom(out, atoms[below(COUNT_OF(atoms))]);
    }
    if (below(500) == 0) { /* about the maximum of a field, or of a topic */
        const char *atom = atoms[below(COUNT_OF(atoms))];
        size_t size = below(2) ? PARSE_MAX_FIELD - 4 + below(8) : ROUTE_MAX_TOPIC;

        while (out->len < size) {
            add_atom(out, atom);
        }
    }
}

/* A place in a delivery, and the decoded text there. */
enum place { BODY_A, BODY_B, BODY_INNER, HEADER_A, HEADER_B, URL, PLACES };

static const struct {
    const char *part, *path; /* of the template; of the body */
} places[PLACES] = {
    [BODY_A] = {"{body.a}", "a"},
    [BODY_B] = {"{body.b}", "b"},
    [BODY_INNER] = {"{body.in.code*}", "in.code*"},
    [HEADER_A] = {"{header.X-A}", NULL},
    [HEADER_B] = {"{header.X-B}", NULL},
    [URL] = {"{url}", NULL},
};

struct sent {
    bool is_json;
    bool there[PLACES];
    struct buf text[PLACES];
    /* in their encoded form */
    struct buf body;
    struct header headers[2 * PLACES + 1];
    struct delivery delivery;
};

static void add_escape(struct buf *out, uint32_t c)
{
    if (c >= 0x10000) {
        buf_addf(out, "\\u%04X\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + (c & 0x3FF));
    } else {
        buf_addf(out, "\\u%04x", c);
    }
}

/* Adds text as a JSON string, with some characters escaped, and replaces text by the value that it
 * should decode to. Bytes that are not UTF-8 become half a surrogate pair, which decodes to U+FFFD;
 * now and then they are added as they are, and it returns false: this is not JSON. */
static bool spell(struct buf *out, struct buf *text)
{
    bool as_it_is = below(64) == 0, is_json = true;
    struct buf decoded = {0};

    buf_add_char(out, '"');
    for (size_t i = 0; i < text->len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(text->data + i, text->len - i, &c);

        if (n == 0 && as_it_is) {
            buf_add_char(out, text->data[i++]);
            buf_add_char(out, '.'); /* so that the next bytes cannot complete it */
            is_json = false;
            continue;
        }
        if (n == 0) {
            buf_add_str(out, below(2) ? "\\ud800" : "\\uDFFF");
            buf_add_str(&decoded, "\ufffd");
            /* So that two halves do not make a pair. */
            buf_add_char(out, '.');
            buf_add_char(&decoded, '.');
            i++;
            continue;
        }
        if (c < 0x20 || c == '"' || c == '\\' || below(4) == 0) {
            add_escape(out, c);
        } else {
            buf_add(out, text->data + i, n);
        }
        buf_add(&decoded, text->data + i, n);
        i += n;
    }
    buf_add_char(out, '"');
    buf_free(text);
    *text = decoded;
    return is_json;
}

static void add_member(struct sent *sent, const char *name, enum place place)
{
    static const char *const others[] = {"null", "[]", "{}", "[\"a\"]"};

    buf_addf(&sent->body, "\"%s\":", name);
    sent->there[place] = below(8) > 0;
    if (sent->there[place]) {
        sent->is_json = spell(&sent->body, &sent->text[place]) && sent->is_json;
    } else {
        buf_add_str(&sent->body, others[below(COUNT_OF(others))]);
    }
}

static void send_body(struct sent *sent)
{
    sent->is_json = true;
    buf_clear(&sent->body);
    buf_add_char(&sent->body, '{');
    add_member(sent, "a", BODY_A);
    buf_add_char(&sent->body, ',');
    add_member(sent, "b", BODY_B);
    buf_add_str(&sent->body, ",\"in\":{");
    add_member(sent, "code", BODY_INNER);
    buf_add_str(&sent->body, "}}");
    sent->delivery.body = buf_slice(&sent->body);
}

static struct slice text_of(const struct sent *sent, enum place place)
{
    return sent->text[place].len > 0 ? buf_slice(&sent->text[place]) : SLICE("");
}

static void send_headers(struct sent *sent)
{
    struct header *next = sent->headers;

    for (enum place place = HEADER_A; place <= HEADER_B; place++) {
        size_t times = below(8) > 0 ? 1 : 2 * below(2);
        struct slice value = text_of(sent, place);

        sent->there[place] = times == 1 && utf8_is_fit(value);
        while (times-- > 0) {
            *next++ = (struct header){place == HEADER_A ? "x-a" : "X-B", value};
        }
    }
    *next = (struct header){0};
    sent->delivery.header = find_header;
    sent->delivery.ctx = sent->headers;
}

static void send_url(struct sent *sent)
{
    struct slice suffix = text_of(sent, URL);

    sent->there[URL] =
        suffix.len > 0 && memchr(suffix.data, '/', suffix.len) == NULL && utf8_is_fit(suffix);
    sent->delivery.suffix = suffix.len > 0 ? suffix : SLICE_NONE;
}

static void send(struct sent *sent)
{
    for (enum place place = 0; place < PLACES; place++) {
        craft(&sent->text[place]);
    }
    send_body(sent);
    send_headers(sent);
    send_url(sent);
}

static void sent_fini(struct sent *sent)
{
    for (enum place place = 0; place < PLACES; place++) {
        buf_free(&sent->text[place]);
    }
    buf_free(&sent->body);
}

/* ---- random sources ---- */

/* A literal text, or a place. */
struct field_part {
    const char *text; /* NULL: place */
    enum place place;
};
struct field_alternative {
    struct field_part parts[MAX_PIECES];
    size_t count;
};
struct field {
    struct field_alternative alternatives[MAX_PIECES];
    size_t count;
    struct buf template;
};

static void make_field(struct field *field)
{
    /* A text such as ".x" looks like a path and would be refused. */
    static const char *const texts[] = {"x.", "x", "/", "#", "$", "resource.", "\u00e9", "%2F"};

    buf_clear(&field->template);
    field->count = 1 + below(MAX_PIECES);
    for (size_t i = 0; i < field->count; i++) {
        struct field_alternative *alternative = &field->alternatives[i];

        buf_add_str(&field->template, i > 0 ? "|" : "");
        alternative->count = 1 + below(MAX_PIECES);
        for (size_t j = 0; j < alternative->count; j++) {
            struct field_part part = {NULL, (enum place)below(PLACES)};

            part.text = below(4) == 0 ? texts[below(COUNT_OF(texts))] : NULL;
            alternative->parts[j] = part;
            buf_add_str(&field->template, part.text ? part.text : places[part.place].part);
        }
    }
}

/* Sets out to the expected value of the field; false if it should be missing. */
static bool expect_field(const struct field *field, const struct sent *sent, struct buf *out)
{
    for (size_t i = 0; i < field->count; i++) {
        const struct field_alternative *alternative = &field->alternatives[i];
        bool all = true;

        buf_clear(out);
        for (size_t j = 0; j < alternative->count; j++) {
            struct field_part part = alternative->parts[j];

            all = all && (part.text || sent->there[part.place]);
            buf_add_slice(out, part.text ? slice_of(part.text) : text_of(sent, part.place));
        }
        if (all) {
            return true;
        }
    }
    return false;
}

/* A literal, or a variable's name. */
struct piece {
    const char *literal, *variable;
};
struct level {
    struct piece pieces[MAX_PIECES];
    size_t count;
};

struct source {
    struct field event, type, gid;
    bool has_type;
    struct provider provider;
    struct level levels[MAX_LEVELS];
    size_t level_count;
    struct buf topic;
    struct parser *parser;
    struct route *route;
};

static struct piece make_piece(bool first)
{
    static const char *const literals[] = {"partners", "a.b", "%2F", "x y",
                                           "\u00e9",   "_",   "",    "$x"};
    static const char *const variables[] = {"source", "resource_type", "type",
                                            "event",  "action",        "gid",
                                            "id",     "body.a",        "body.in.code*"};

    if (below(3) == 0) {
        return (struct piece){literals[below(first ? 6 : COUNT_OF(literals))], NULL};
    }
    return (struct piece){NULL, variables[below(COUNT_OF(variables))]};
}

static void make_topic(struct source *source)
{
    buf_clear(&source->topic);
    source->level_count = 1 + below(MAX_LEVELS);
    for (size_t i = 0; i < source->level_count; i++) {
        struct level *level = &source->levels[i];

        buf_add_str(&source->topic, i > 0 ? "/" : "");
        level->count = below(3) ? 1 : 1 + below(MAX_PIECES);
        for (size_t j = 0; j < level->count; j++) {
            struct piece piece = level->pieces[j] = make_piece(i == 0 && j == 0);

            if (piece.literal) {
                buf_add_str(&source->topic, piece.literal);
            } else {
                buf_addf(&source->topic, "{%s}", piece.variable);
            }
        }
    }
}

static void source_init(struct source *source)
{
    struct err err = {0};

    make_field(&source->event);
    make_field(&source->type);
    make_field(&source->gid);
    source->has_type = below(2);
    source->provider = (struct provider){
        .takes_suffix = true,
        .fields = {.event = source->event.template.data,
                   .resource_type = source->has_type ? source->type.template.data : NULL,
                   .gid = source->gid.template.data}};
    source->parser = make_parser(&source->provider);
    make_topic(source);
    REQUIRE(route_create(source->topic.data, &source->route, &err) == ST_OK, "%s: %s",
            source->topic.data, err.text);
}

static void source_fini(struct source *source)
{
    parser_destroy(source->parser);
    route_destroy(source->route);
    buf_free(&source->event.template);
    buf_free(&source->type.template);
    buf_free(&source->gid.template);
    buf_free(&source->topic);
}

#endif
