/*
 * Files that are not an outbox, the format on disk, transactions, and reading. The outbox around
 * the store is a real one, so that the rows are those of real use.
 */
#include <errno.h>

#include <fcntl.h>

#include <sqlite3.h>

#include "tests/unit/lib/outbox_fixture.h"

#include "bridge/store/writer.h"

/* ---- files that are not what they should be ---- */

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct buf read_file(const char *path)
{
    struct buf content = {0};
    FILE *file = fopen(path, "rb");
    int c;

    assert_non_null(file);
    while ((c = fgetc(file)) != EOF) {
        buf_add_char(&content, (char)c);
    }
    fclose(file);
    return content;
}

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* Writer and reader both refuse the file with this text, and leave it alone. */
static void assert_refused(struct fixture *f, const char *words)
{
    struct buf before = read_file(f->path), after;
    struct store *store = NULL;
    struct err err = {0};

    assert_int_equal(store_open_writer(f->path, NULL, &store, &err), ST_INVALID);
    assert_non_null(strstr(err.text, words));
    assert_non_null(strstr(err.text, f->path));
    assert_int_equal(store_open_reader(f->path, &store, &err), ST_INVALID);
    assert_non_null(strstr(err.text, words));
    assert_null(store);
    after = read_file(f->path);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.data, after.data, before.len);
    buf_free(&before);
    buf_free(&after);
}

static void a_file_of_zeros_is_refused_and_left_alone(void **state)
{
    static const char zeros[65536];
    struct fixture *f = *state;

    write_file(f->path, zeros, sizeof(zeros));
    assert_refused(f, "not a database");
}

static void a_text_file_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;

    write_file(f->path, "precious", 8);
    assert_refused(f, "not a database");
}

static void another_programs_database_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;

    run_sql(f->path, "CREATE TABLE precious(x)");
    assert_refused(f, "another program");
}

static void a_newer_format_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;

    fixture_open(f);
    fixture_close(f);
    run_sql(f->path, "PRAGMA user_version=1000");
    assert_refused(f, "newer");
}

static void a_log_without_its_database_is_not_thrown_away(void **state)
{
    struct fixture *f = *state;
    struct store *store = NULL;
    struct err err = {0};
    char log[128];
    struct stat info;

    snprintf(log, sizeof(log), "%s-wal", f->path);
    write_file(log, "precious", 8);
    assert_int_equal(store_open_writer(f->path, NULL, &store, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "-wal"));
    write_file(f->path, "", 0);
    assert_int_equal(store_open_writer(f->path, NULL, &store, &err), ST_INVALID);
    assert_int_equal(stat(log, &info), 0);
    assert_int_equal(info.st_size, 8);
}

static void a_watermark_that_contradicts_the_rows_is_damage(void **state)
{
    struct fixture *f = *state;
    struct outbox *outbox = NULL;
    struct err err = {0};

    fixture_start(f);
    put_many(f, 3);
    fixture_close(f);
    run_sql(f->path, "DELETE FROM event WHERE seq = 3");
    assert_int_equal(outbox_open(&f->options, &outbox, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "damaged"));
}

/* A new outbox gets its name when it is complete: one that is empty has been emptied. */
static void an_empty_file_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;

    write_file(f->path, "", 0);
    assert_refused(f, "empty");
}

static void a_draft_of_a_process_that_died_is_made_again(void **state)
{
    static const char *const suffixes[] = {".new", ".new-wal", ".new-shm"};
    struct fixture *f = *state;
    char name[128];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        snprintf(name, sizeof(name), "%s%s", f->path, suffixes[i]);
        write_file(name, "half of something", 17);
    }
    fixture_start(f);
    put_many(f, 1);
    assert_int_equal(count_on_disk(f, STORE_ALL), 1);
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        snprintf(name, sizeof(name), "%s%s", f->path, suffixes[i]);
        assert_int_equal(access(name, F_OK), -1);
    }
}

static void a_missing_file_or_directory_has_a_plain_error(void **state)
{
    struct fixture *f = *state;
    struct store *store = NULL;
    struct err err = {0};

    assert_int_equal(store_open_reader(f->path, &store, &err), ST_NOT_FOUND);
    strcat(f->path, "/no/such");
    assert_int_equal(store_open_writer(f->path, NULL, &store, &err), ST_IO);
    assert_int_equal(err.sys_errno, ENOENT);
}

/* ---- the format ---- */

static int64_t ask_number(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int64_t number;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return number;
}

static void the_file_identifies_itself_as_an_outbox(void **state)
{
    struct fixture *f = *state;

    fixture_start(f);
    put_many(f, 1);
    fixture_close(f);
    assert_int_equal(ask_number(f->path, "PRAGMA application_id"), 0x68326D71);
    assert_int_equal(ask_number(f->path, "PRAGMA user_version"), 5);
    assert_int_equal(ask_number(f->path, "SELECT count(*) FROM pragma_integrity_check"
                                         " WHERE integrity_check = 'ok'"),
                     1);
}

/* An index with a random key would triple the cost of a row. */
static void events_are_found_by_their_seq_alone(void **state)
{
    struct fixture *f = *state;

    fixture_start(f);
    fixture_close(f);
    assert_int_equal(ask_number(f->path, "SELECT count(*) FROM sqlite_schema"
                                         " WHERE tbl_name IN ('event', 'body')"),
                     2); /* the tables themselves */
}

/* ---- transactions ---- */

static struct store *open_writer(struct fixture *f)
{
    struct store *store = NULL;
    struct err err = {0};

    if (store_open_writer(f->path, NULL, &store, &err) != ST_OK) {
        fail_msg("%s", err.text);
    }
    return store;
}

static void a_rolled_back_transaction_leaves_rows_and_sums_as_they_were(void **state)
{
    struct fixture *f = *state;
    struct store *store = open_writer(f);
    struct event *event;
    struct event fields = make_new_event();
    struct store_stats before, after;
    struct err err = {0};

    event = event_copy(&fields);
    assert_int_equal(store_begin(store, true, &err), ST_OK);
    assert_int_equal(store_append(store, event, STORE_NEW, &err), ST_OK);
    assert_int_equal(store_commit(store, &err), ST_OK);
    store_get_stats(store, &before);

    assert_int_equal(store_begin(store, true, &err), ST_OK);
    assert_int_equal(store_append(store, event, STORE_NEW, &err), ST_OK);
    assert_int_equal(event->seq, 2);
    assert_int_equal(store_set_watermark(store, 2, &err), ST_OK);
    assert_int_equal(store_bury(store, 1, "no", 1, &err), ST_OK);
    store_rollback(store);
    store_get_stats(store, &after);
    assert_memory_equal(&before, &after, sizeof(before));

    assert_int_equal(store_begin(store, true, &err), ST_OK);
    assert_int_equal(store_append(store, event, STORE_NEW, &err), ST_OK);
    assert_int_equal(event->seq, 2);
    assert_int_equal(store_commit(store, &err), ST_OK);
    event_free(event);
    store_close(store);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 2);
    assert_sums_right(f);
}

static void burying_twice_or_a_removed_event_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct store *store;
    struct err err = {0};

    fixture_start(f);
    put_many(f, 3);
    fixture_close(f);
    store = open_writer(f);
    assert_int_equal(store_begin(store, true, &err), ST_OK);
    assert_int_equal(store_bury(store, 2, "first", 1, &err), ST_OK);
    assert_int_equal(store_bury(store, 2, "second", 1, &err), ST_OK);
    assert_int_equal(store_bury(store, 77, "never there", 1, &err), ST_OK);
    assert_int_equal(store_drop(store, 2, &err), ST_OK);
    assert_int_equal(store_drop_dead(store, 77, &err), ST_OK);
    assert_int_equal(store_commit(store, &err), ST_OK);
    store_close(store);
    assert_int_equal(count_on_disk(f, STORE_DEAD), 1);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 2);
    assert_sums_right(f);
}

static void removal_stops_where_it_should(void **state)
{
    struct fixture *f = *state;
    struct store_removal by_rows = {INT64_MAX, UINT64_MAX, 4}, by_bytes = {INT64_MAX, 1, 100},
                         by_time = {0, UINT64_MAX, 100}, all = {INT64_MAX, UINT64_MAX, 100};
    struct store *store;
    struct err err = {0};
    struct store_stats stats;

    fixture_start(f);
    put_many(f, 10);
    deliver(f, 8);
    fixture_close(f);
    store = open_writer(f);
    assert_int_equal(store_begin(store, true, &err), ST_OK);
    assert_int_equal(store_remove_kept(store, &by_time, &err), ST_OK);
    store_get_stats(store, &stats);
    assert_int_equal(stats.first_seq, 1);
    assert_int_equal(store_remove_kept(store, &by_rows, &err), ST_OK);
    store_get_stats(store, &stats);
    assert_int_equal(stats.first_seq, 5);
    assert_int_equal(store_remove_kept(store, &by_bytes, &err), ST_OK);
    store_get_stats(store, &stats);
    assert_int_equal(stats.first_seq, 6);
    assert_int_equal(store_remove_kept(store, &all, &err), ST_OK);
    assert_int_equal(store_commit(store, &err), ST_OK);
    store_get_stats(store, &stats);
    assert_int_equal(stats.first_seq, 9); /* what is undelivered stays */
    assert_int_equal(stats.kept_bytes, 0);
    store_close(store);
    assert_sums_right(f);
}

/* ---- listings ---- */

static bool count_two(void *ctx, const struct event *event, bool delivered)
{
    (void)event;
    (void)delivered;
    return ++*(int *)ctx < 2;
}

static void a_listing_ends_when_the_caller_has_enough(void **state)
{
    struct fixture *f = *state;
    struct store_selection selection = select_all();
    struct store *store = NULL;
    struct err err = {0};
    int rows = 0;

    fixture_start(f);
    put_many(f, 5);
    assert_int_equal(store_open_reader(f->path, &store, &err), ST_OK);
    assert_int_equal(store_list(store, STORE_ALL, &selection, false, count_two, &rows, &err),
                     ST_OK);
    assert_int_equal(rows, 2);
    selection.limit = 1;
    rows = 0;
    assert_int_equal(store_list(store, STORE_ALL, &selection, false, count_two, &rows, &err),
                     ST_OK);
    assert_int_equal(rows, 1);
    put_many(f, 1); /* an open reader does not hold up the writer */
    store_close(store);
}

static void a_reader_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct store *store = NULL;
    struct event *event;
    struct event fields = make_new_event();
    struct err err = {0};

    fixture_start(f);
    assert_int_equal(store_open_reader(f->path, &store, &err), ST_OK);
    event = event_copy(&fields);
    assert_int_not_equal(store_append(store, event, STORE_NEW, &err), ST_OK);
    event_free(event);
    store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_file_of_zeros_is_refused_and_left_alone),
        TEST(a_text_file_is_refused_and_left_alone),
        TEST(another_programs_database_is_refused_and_left_alone),
        TEST(a_newer_format_is_refused_and_left_alone),
        TEST(a_log_without_its_database_is_not_thrown_away),
        TEST(a_watermark_that_contradicts_the_rows_is_damage),
        TEST(an_empty_file_is_refused_and_left_alone),
        TEST(a_draft_of_a_process_that_died_is_made_again),
        TEST(a_missing_file_or_directory_has_a_plain_error),
        TEST(the_file_identifies_itself_as_an_outbox),
        TEST(events_are_found_by_their_seq_alone),
        TEST(a_rolled_back_transaction_leaves_rows_and_sums_as_they_were),
        TEST(burying_twice_or_a_removed_event_changes_nothing),
        TEST(removal_stops_where_it_should),
        TEST(a_listing_ends_when_the_caller_has_enough),
        TEST(a_reader_cannot_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
