#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/inbox.h"

enum { PRODUCERS = 4, ITEMS_EACH = 20000 };

struct item {
    struct inbox_link link;
    int producer;
    int number;
};

struct producer {
    struct inbox *inbox;
    struct item items[ITEMS_EACH];
};

static struct producer producers[PRODUCERS];

static void *produce(void *arg)
{
    struct producer *producer = arg;

    for (int i = 0; i < ITEMS_EACH; i++) {
        producer->items[i].producer = (int)(producer - producers);
        producer->items[i].number = i;
        if (!inbox_put(producer->inbox, &producer->items[i].link, NULL)) {
            return arg;
        }
    }
    return NULL;
}

static void everything_put_is_taken_once_and_in_order(void **state)
{
    struct inbox inbox;
    pthread_t threads[PRODUCERS];
    int next[PRODUCERS] = {0};
    int total = 0;

    (void)state;
    inbox_init(&inbox);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].inbox = &inbox;
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    while (total < PRODUCERS * ITEMS_EACH) {
        bool open;
        struct inbox_link *link = inbox_wait(&inbox, -1, &open);

        assert_true(open);
        for (; link != NULL; link = link->next, total++) {
            struct item *item = INBOX_ITEM(link, struct item, link);

            assert_int_equal(item->number, next[item->producer]++);
        }
    }
    for (int i = 0; i < PRODUCERS; i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_null(inbox_take_all(&inbox));
    inbox_fini(&inbox);
}

static void only_the_first_put_says_that_it_was_empty(void **state)
{
    struct inbox inbox;
    struct item a, b;
    bool was_empty;

    (void)state;
    inbox_init(&inbox);
    assert_true(inbox_put(&inbox, &a.link, &was_empty));
    assert_true(was_empty);
    assert_true(inbox_put(&inbox, &b.link, &was_empty));
    assert_false(was_empty);
    assert_ptr_equal(inbox_take_all(&inbox), &a.link);
    inbox_fini(&inbox);
}

static void a_closed_inbox_refuses_but_can_be_emptied(void **state)
{
    struct inbox inbox;
    struct item a, b;
    bool open = true;

    (void)state;
    inbox_init(&inbox);
    assert_true(inbox_put(&inbox, &a.link, NULL));
    inbox_close(&inbox);
    assert_false(inbox_put(&inbox, &b.link, NULL));
    assert_ptr_equal(inbox_wait(&inbox, -1, &open), &a.link);
    assert_false(open);
    assert_null(inbox_wait(&inbox, -1, &open)); /* does not wait for ever */
    assert_false(open);
    inbox_fini(&inbox);
}

static void a_wake_ends_a_wait_and_counts_once(void **state)
{
    struct inbox inbox;
    int64_t before;
    bool open;

    (void)state;
    inbox_init(&inbox);
    inbox_wake(&inbox);
    assert_null(inbox_wait(&inbox, -1, &open));
    assert_true(open);
    before = clock_mono_ms();
    assert_null(
        inbox_wait(&inbox, 30, &open)); /* the wake is used up: only time ends this one */
    assert_true(clock_mono_ms() - before >= 29);
    inbox_fini(&inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_put_is_taken_once_and_in_order),
        cmocka_unit_test(only_the_first_put_says_that_it_was_empty),
        cmocka_unit_test(a_closed_inbox_refuses_but_can_be_emptied),
        cmocka_unit_test(a_wake_ends_a_wait_and_counts_once),
    };

    return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
