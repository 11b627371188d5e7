/*
 * Input: a template, a NUL, and a value for every variable. Checks that a topic has as many levels
 * as its template, that brokers accept it, and that the value can be decoded from it.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/encode.h"
#include "common/utf8.h"

#include "bridge/parse/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT = 64 }; /* longer inputs find nothing more, only slower */

/* libFuzzer must not be steered by the branches of the checks; that also saves most of the
 * time. */
#ifdef __clang__
#define NOT_TRACED __attribute__((no_sanitize("coverage")))
#else
#define NOT_TRACED /* so that other compilers, which have no libFuzzer, do not warn */
#endif

NOT_TRACED static size_t count_levels(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] == '/';
    }
    return count;
}

/* Counts the slashes of a template, except those in the name of a variable, as in {body.a/b}. */
NOT_TRACED static size_t count_template_levels(const char *text)
{
    size_t count = 0;
    bool in_variable = false;

    for (; *text != '\0'; text++) {
        in_variable = *text == '{' || (in_variable && *text != '}');
        count += *text == '/' && !in_variable;
    }
    return count;
}

NOT_TRACED static void check_topic(struct slice topic)
{
    CHECK(topic.len > 0 && topic.len <= ROUTE_MAX_TOPIC);
    CHECK(topic.data[0] != '$');
    for (size_t i = 0; i < topic.len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(topic.data + i, topic.len - i, &c);

        CHECK(n > 0);
        CHECK(c != '+' && c != '#' && c >= 0x20 && !(c >= 0x7F && c <= 0x9F));
        CHECK(!(c >= 0xFDD0 && c <= 0xFDEF) && (c & 0xFFFE) != 0xFFFE);
        i += n;
    }
}

NOT_TRACED static void check_read_back(struct slice topic, struct slice value)
{
    size_t read = 0;

    if (value.len == 0) {
        CHECK(slice_equal(topic, SLICE("_")));
        return;
    }
    for (size_t i = 0; i < topic.len; i++) {
        uint8_t byte = (uint8_t)topic.data[i];

        if (topic.data[i] == '%') {
            bool ok = i + 2 < topic.len &&
                      decode_hex((struct slice){topic.data + i + 1, 2}, &byte, 1);

            CHECK(ok);
            i += 2;
        }
        CHECK(read < value.len && (uint8_t)value.data[read] == byte);
        read++;
    }
    CHECK(read == value.len);
}

/* The topic stays valid until the next call; absent if there is none. */
NOT_TRACED static struct slice topic_of(const struct route *route, struct slice value)
{
    static struct buf topic;
    struct parsed parsed = {0};
    struct route_values values = {value, value, value, value, value, SLICE("{}"), &parsed};

    buf_clear(&topic);
    if (route_topic(route, &values, &topic) != ST_OK) {
        CHECK(topic.len == 0);
        return SLICE_NONE;
    }
    check_topic(buf_slice(&topic));
    return buf_slice(&topic);
}

static void run(const char *template, struct slice value)
{
    struct route *route = NULL;
    struct slice topic;
    struct err err = {0};

    if (route_create(template, &route, &err) != ST_OK) {
        CHECK(err.text[0] != '\0');
        return;
    }
    topic = topic_of(route, value);
    CHECK(topic.data == NULL || count_levels(topic) == count_template_levels(template));
    route_destroy(route);
}

static void run_alone(struct slice value)
{
    static struct route *gid; /* static because it is always the same */
    struct err err = {0};
    enum status st = gid ? ST_OK : route_create("{gid}", &gid, &err);

    CHECK(st == ST_OK);
    check_read_back(topic_of(gid, value), value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *template = (const char *)data;
    const char *end = template + (size < MAX_INPUT ? size : MAX_INPUT);
    const char *nul = memchr(template, '\0', (size_t)(end - template));

    if (nul) {
        struct slice value = {nul + 1, (size_t)(end - nul - 1)};

        run(template, value);
        run_alone(value);
    }
    return 0;
}
