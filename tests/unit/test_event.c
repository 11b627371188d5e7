#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/event.h"

static void a_copy_owns_every_byte_of_its_own(void **state)
{
    char body[] = "{\"a\":\"\0\"}";
    struct event fields = {
        .received_ms = 7,
        .source = SLICE("partners"),
        .gid = SLICE(""),
        .body = {body, sizeof(body) - 1},
        .qos = 1,
    };
    struct event *copy = event_copy(&fields);

    (void)state;
    memset(body, 'x', sizeof(body));
    assert_int_equal(copy->received_ms, 7);
    assert_int_equal(copy->qos, 1);
    assert_true(slice_equal(copy->source, SLICE("partners")));
    assert_true(slice_equal(copy->body, SLICE("{\"a\":\"\0\"}")));
    assert_int_equal(copy->body.data[copy->body.len], '\0');
    assert_non_null(copy->gid.data); /* an empty text stays present, an absent one absent */
    assert_null(copy->topic.data);
    event_free(copy);
    event_free(NULL);
}

/* The texts lie side by side in the struct, so this finds even a text that EVENT_TEXTS misses. */
enum {
    FIRST_TEXT = offsetof(struct event, source),
    TEXT_COUNT = (offsetof(struct event, expiry_s) - FIRST_TEXT) / sizeof(struct slice),
};

static struct slice *text_of(struct event *event, size_t i)
{
    return (struct slice *)((char *)event + FIRST_TEXT) + i;
}

static void every_text_is_copied(void **state)
{
    struct event event = {0};
    char texts[TEXT_COUNT][6];
    struct event *copy;

    (void)state;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "1234%c", (char)('a' + i));
        *text_of(&event, i) = slice_of(texts[i]);
    }
    copy = event_copy(&event);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        assert_true(slice_equal(*text_of(copy, i), *text_of(&event, i)));
        assert_ptr_not_equal(text_of(copy, i)->data, texts[i]);
    }
    event_free(copy);
}

static void every_text_counts_towards_the_cost(void **state)
{
    struct event event = {0};
    uint64_t fixed = event_cost_bytes(&event);

    (void)state;
    assert_true(fixed > 0);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        *text_of(&event, i) = SLICE("12345");
    }
    assert_int_equal(event_cost_bytes(&event), fixed + 5 * TEXT_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_owns_every_byte_of_its_own),
        cmocka_unit_test(every_text_is_copied),
        cmocka_unit_test(every_text_counts_towards_the_cost),
    };

    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
