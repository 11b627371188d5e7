#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
    assert_non_null(copy->gid.data); /* empty stays empty, absent stays absent */
    assert_null(copy->topic.data);
    event_free(copy);
    event_free(NULL);
}

static void every_text_counts_towards_the_cost(void **state)
{
    struct event event = {0};
    uint64_t fixed = event_cost_bytes(&event);

    (void)state;
    assert_true(fixed > 0);
    event.source = event.event = event.resource_type = event.gid = event.delivery_id =
        SLICE("12345");
    event.topic = event.state_topic = event.body = event.reason = SLICE("12345");
    assert_int_equal(event_cost_bytes(&event), fixed + 45);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_owns_every_byte_of_its_own),
        cmocka_unit_test(every_text_counts_towards_the_cost),
    };

    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
