/*
 * Input: a template, a NUL, and a value for every variable. A topic has as many levels as its
 * template, is one that brokers take, and the value can be read back from it.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/encode.h"
#include "common/utf8.h"

#include "bridge/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice body_text(void *ctx, struct slice path)
{
    (void)path;
    return *(struct slice *)ctx;
}

static size_t count_levels(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] == '/';
    }
    return count;
}

/* The slashes of a template that are not part of a variable's name, as in {body.a/b}. */
static size_t count_template_levels(const char *text)
{
    size_t count = 0;
    bool in_variable = false;

    for (; *text != '\0'; text++) {
        in_variable = *text == '{' || (in_variable && *text != '}');
        count += *text == '/' && !in_variable;
    }
    return count;
}

static void check_topic(struct slice topic)
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

static void check_read_back(struct slice topic, struct slice value)
{
    struct buf decoded = {0};

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
        buf_add_char(&decoded, (char)byte);
    }
    CHECK(slice_equal(buf_slice(&decoded), value));
    buf_free(&decoded);
}

static void run(const char *template, struct slice value, bool alone)
{
    struct route_values values = {value, value, value, value, value, body_text, &value};
    struct route *route = NULL;
    struct buf topic = {0};
    struct err err = {0};

    if (route_create(template, &route, &err) != ST_OK) {
        CHECK(err.text[0] != '\0');
        return;
    }
    if (route_topic(route, &values, &topic) == ST_OK) {
        check_topic(buf_slice(&topic));
        CHECK(count_levels(buf_slice(&topic)) == count_template_levels(template));
        if (alone) {
            check_read_back(buf_slice(&topic), value);
        }
    } else {
        CHECK(topic.len == 0);
    }
    buf_free(&topic);
    route_destroy(route);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *template = (const char *)data;
    const char *nul = memchr(template, '\0', size);

    if (nul) {
        struct slice value = {nul + 1, (size_t)(template + size - nul - 1)};

        run(template, value, false);
        run("{gid}", value, true);
    }
    return 0;
}
