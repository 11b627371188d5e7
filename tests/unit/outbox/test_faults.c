/*
 * The disk fails. This program replaces the C library's fdatasync, for SQLite too, by one that
 * counts and fails on demand.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/lib/outbox_fixture.h"

static atomic_int sync_count;
static const char
    *_Atomic fail_suffix; /* the next sync of a file with this end of name fails */

static bool has_suffix(int fd, const char *suffix)
{
    char link[64], path[256];
    ssize_t len;
    size_t suffix_len = strlen(suffix);

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path));
    return len >= (ssize_t)suffix_len &&
           memcmp(path + len - suffix_len, suffix, suffix_len) == 0;
}

int fdatasync(int fd)
{
    const char *suffix = atomic_load(&fail_suffix);

    atomic_fetch_add(&sync_count, 1);
    if (suffix != NULL && has_suffix(fd, suffix)) {
        atomic_store(&fail_suffix, NULL);
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

/* ---- syncs ---- */

static void every_answer_had_a_sync_before_it_and_a_batch_has_one(void **state)
{
    enum { COUNT = 20 };
    struct fixture *f = *state;
    struct answer answers[COUNT];
    int before;

    fixture_start(f);
    put_many(f, 1);
    before = atomic_load(&sync_count);
    put_many(f, 1);
    assert_int_equal(atomic_load(&sync_count), before + 1);

    close_gate(f);
    before = atomic_load(&sync_count);
    for (size_t i = 0; i < COUNT; i++) {
        struct event event = make_new_event();

        assert_int_equal(submit(f, &event, &answers[i]), ST_OK);
    }
    open_gate(f);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(wait_answer(&answers[i]).status, ST_OK);
    }
    assert_int_equal(atomic_load(&sync_count), before + 1);
}

static void a_watermark_alone_costs_no_sync_and_is_still_in_the_file(void **state)
{
    struct fixture *f = *state;
    int before;

    fixture_start(f);
    put_many(f, 3);
    before = atomic_load(&sync_count);
    deliver(f, 1);
    deliver(f, 2);
    assert_int_equal(atomic_load(&sync_count), before);
    assert_int_equal(stats_on_disk(f).delivered_seq, 2);
    put_many(f, 1); /* and afterwards events are synced again */
    assert_int_equal(atomic_load(&sync_count), before + 1);
}

static void wait_until_failed(struct fixture *f)
{
    lock(f);
    while (f->failed_count == 0) {
        wait_for_change(f);
    }
    unlock(f);
}

static void a_failed_sync_is_final(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct answer answers[3];
    int syncs;

    fixture_start(f);
    put_many(f, 2);
    close_gate(f);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        event = make_new_event();
        assert_int_equal(submit(f, &event, &answers[i]), ST_OK);
    }
    atomic_store(&fail_suffix, "outbox.db-wal");
    open_gate(f);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        assert_int_equal(wait_answer(&answers[i]).status, ST_IO);
    }
    wait_until_failed(f);
    assert_int_equal(put(f, &event).status, ST_CLOSED);
    assert_int_equal(outbox_ready(f->outbox), ST_IO);
    syncs = atomic_load(&sync_count);
    outbox_set_watermark(f->outbox, 1); /* goes nowhere */
    bury(f, 2, "goes nowhere");
    fixture_close(f);
    assert_int_equal(f->failed_count, 1);
    assert_int_equal(atomic_load(&sync_count), syncs); /* closing has not written either */

    fixture_start(f);
    assert_true(count_on_disk(f, STORE_UNDELIVERED) >= 3);
    assert_int_equal(stats_on_disk(f).delivered_seq, 0);
    assert_sums_right(f);
    put_many(f, 1);
}

/* Only a checkpoint syncs the database itself. */
static void a_failed_sync_of_a_checkpoint_is_final_too(void **state)
{
    enum { BODY_BYTES = 1 << 20, MANY = 64 };
    static char body[BODY_BYTES];
    struct fixture *f = *state;
    enum status st = ST_OK;

    memset(body, 'x', sizeof(body));
    fixture_start(f);
    atomic_store(&fail_suffix, "outbox.db");
    for (int i = 0; i < MANY && st == ST_OK; i++) {
        struct event event = make_new_event();

        event.body = (struct slice){body, sizeof(body)};
        st = put(f, &event).status;
    }
    assert_true(st == ST_IO || st == ST_CLOSED);
    wait_until_failed(f);
    fixture_close(f);
    assert_int_equal(f->failed_count, 1);
    fixture_start(f);
    put_many(f, 1);
    assert_sums_right(f);
}

/* ---- damage ---- */

/* The last page with this text is overwritten; nobody has the file open. */
static void damage_page_with(const char *path, const char *text)
{
    enum { PAGE = 16384 };
    static char page[PAGE];
    FILE *file = fopen(path, "r+");
    long found = -1;

    assert_non_null(file);
    for (long at = 0; fread(page, sizeof(page), 1, file) == 1; at += PAGE) {
        found = memmem(page, sizeof(page), text, strlen(text)) != NULL ? at : found;
    }
    assert_true(found > 0);
    memset(page, 0xFF, sizeof(page));
    assert_int_equal(fseek(file, found, SEEK_SET), 0);
    assert_int_equal(fwrite(page, sizeof(page), 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

/* Else webhooks would be taken for ever, and none delivered. */
static void damage_found_while_reading_is_final(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct event *read[4];
    struct err err = {0};
    size_t count = 0;

    event.body = SLICE("the page with this body");
    fixture_start(f);
    put_ok(f, &event);
    fixture_close(f);
    damage_page_with(f->path, "the page with this body");
    fixture_start(f);
    assert_int_equal(outbox_ready(f->outbox), ST_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(outbox_read(f->outbox, 0, COUNT_OF(read), 1 << 20, read, &count, &err),
                         ST_INVALID);
    }
    wait_until_failed(f);
    event = make_new_event();
    assert_int_equal(put(f, &event).status, ST_CLOSED);
    assert_int_equal(outbox_ready(f->outbox), ST_IO);
    fixture_close(f);
    assert_int_equal(f->failed_count, 1);
}

/* ---- no room ---- */

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_write_without_room_is_refused_and_tried_again_later(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    uint64_t watermark_seq;

    signal(SIGXFSZ, SIG_IGN);
    fixture_start(f);
    put_many(f, 3);
    set_file_limit(4096);
    assert_int_equal(put(f, &event).status, ST_FULL);
    assert_int_equal(outbox_ready(f->outbox), ST_FULL);

    /* Delivery goes on: the watermark moves in memory. */
    deliver(f, 2);
    assert_int_equal(stats_on_disk(f).delivered_seq, 0);
    bury(f, 3, "refused");
    deliver(f, 3);
    assert_int_equal(count_on_disk(f, STORE_DEAD), 0);

    set_file_limit(RLIM_INFINITY);
    put_ok(f, &event);
    put_many(f, 1); /* by then the committer has looked for room */
    assert_int_equal(outbox_ready(f->outbox), ST_OK);
    watermark_seq = stats_on_disk(f).delivered_seq;
    assert_int_equal(watermark_seq, 3);
    assert_int_equal(count_on_disk(f, STORE_DEAD), 1);
    assert_int_equal(f->failed_count, 0);
    assert_sums_right(f);
}

static void an_operation_by_hand_without_room_ends_with_that_reason(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();
    struct outbox_operation_result result;

    signal(SIGXFSZ, SIG_IGN);
    fixture_start(f);
    put_many(f, 3);
    deliver(f, 3);
    set_file_limit(4096);
    result = operate(f, OUTBOX_REPLAY, &all);
    set_file_limit(RLIM_INFINITY);
    assert_int_equal(result.status, ST_FULL);
    assert_int_equal(result.done_count, 0);
    assert_true(strlen(result.why) > 0);
    put_many(f, 1);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 1);
}

/* ---- a disk that really is full: a file system of 16 MiB, in a namespace of our own ---- */

static void fill_and_drain(struct fixture *f)
{
    static char body[8000];
    uint64_t stored_count = 0;
    enum status st = ST_OK;

    memset(body, 'x', sizeof(body));
    fixture_start(f);
    while (st == ST_OK) {
        struct event event = make_new_event();

        event.body = (struct slice){body, sizeof(body)};
        st = put(f, &event).status;
        stored_count += st == ST_OK;
    }
    assert_int_equal(st, ST_FULL);
    assert_true(stored_count > 100);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), stored_count);

    /* There is room for the watermark, burials and removals all the time. */
    for (uint64_t seq = 1; seq <= stored_count; seq++) {
        deliver(f, seq);
    }
    lock(f);
    while (stats_on_disk(f).kept_count > 0) {
        wait_for_change(f);
    }
    unlock(f);
    assert_int_equal(stats_on_disk(f).delivered_seq, stored_count);
    put_many(f, 100);
    assert_int_equal(f->failed_count, 0);
    fixture_close(f);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 100);
    assert_sums_right(f);
}

enum { NO_NAMESPACE = 77 };

static void a_full_disk_can_be_drained(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("tmpfs", f->dir, "tmpfs", 0, "size=16m") != 0) {
            _exit(NO_NAMESPACE);
        }
        f->options.keep_delivered_ms = 0;
        fill_and_drain(f);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_NAMESPACE) {
        skip(); /* not root */
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int repair_and_tear_down(void **state)
{
    atomic_store(&fail_suffix, NULL);
    set_file_limit(RLIM_INFINITY);
    return tear_down(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, repair_and_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_answer_had_a_sync_before_it_and_a_batch_has_one),
        TEST(a_watermark_alone_costs_no_sync_and_is_still_in_the_file),
        TEST(a_failed_sync_is_final),
        TEST(a_failed_sync_of_a_checkpoint_is_final_too),
        TEST(damage_found_while_reading_is_final),
        TEST(a_write_without_room_is_refused_and_tried_again_later),
        TEST(an_operation_by_hand_without_room_ends_with_that_reason),
        TEST(a_full_disk_can_be_drained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
