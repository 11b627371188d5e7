/*
 * The format on disk.
 *
 *   event  one small row per accepted event, appended in order of seq; never changed
 *   body   its bytes, in a separate table, so that finding and listing events never pull bodies
 *          through the cache; an event without one was buried or dropped
 *   gap    tombstones: one row per event without a body, so that sums over ranges can leave it
 *          out. Its event row stays until its range is removed
 *   held   events that wait although the watermark may have passed them: refused for now, or behind
 *          one that is. Their rows stay, also when their range is removed, until each is delivered,
 *          buried or dropped
 *   dead   dead letters: quarantined (no topic) or refused by the broker
 *   state  for each state topic, its newest event and the newest time that one of them had; a
 *          random key, but only for events that have a state topic. gone_ms: cleared by a
 *          deletion, and of no use after this
 *   identity  what dedupe has learned, in order, as far as it is to be remembered: an event that
 *          was accepted or, without received_ms, the drop of the event with that id. Longer than
 *          events are kept; those after mark.identified_seq are still in `event` alone
 *   mark   one row: the watermark, the newest seq ever given, and sums
 *
 * To change it, add a step to `migrations`; old steps never change. A migration is one
 * transaction: if we die in it, the file keeps its old format.
 */
#include "bridge/store/internal.h"

#include <stdio.h>

/* "h2mq" in the file's header distinguishes an outbox from any other SQLite file. */
enum { APPLICATION_ID = 0x68326D71 };

#define EVENT_COLUMN_TYPES                                                                     \
    "id BLOB NOT NULL, received_ms INTEGER NOT NULL, event_ms INTEGER, "                       \
    "dedupe_key BLOB NOT NULL, digest BLOB NOT NULL, source TEXT, event TEXT, "                \
    "resource_type TEXT, gid TEXT, delivery_id TEXT, topic TEXT, state_topic TEXT, "           \
    "expiry_s INTEGER NOT NULL, qos INTEGER NOT NULL, flags INTEGER NOT NULL, "

/* migrations[i] leads from format i to format i + 1. */
static const char *const migrations[] = {
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, " EVENT_COLUMN_TYPES
    " total_bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE body(seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE gap(seq INTEGER PRIMARY KEY, cost_bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE dead(dead_key INTEGER PRIMARY KEY, " EVENT_COLUMN_TYPES
    " seq INTEGER NOT NULL, cost_bytes INTEGER NOT NULL, buried_ms INTEGER NOT NULL,"
    " reason TEXT NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE TABLE state(topic TEXT PRIMARY KEY, event_ms INTEGER NOT NULL, seq INTEGER NOT "
    "NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE mark(one INTEGER PRIMARY KEY CHECK (one = 1),"
    " last_seq INTEGER NOT NULL DEFAULT 0, last_total INTEGER NOT NULL DEFAULT 0,"
    " delivered_seq INTEGER NOT NULL DEFAULT 0, delivered_total INTEGER NOT NULL DEFAULT 0,"
    " removed_seq INTEGER NOT NULL DEFAULT 0, removed_total INTEGER NOT NULL DEFAULT 0,"
    " undelivered_count INTEGER NOT NULL DEFAULT 0, undelivered_bytes INTEGER NOT NULL DEFAULT "
    "0,"
    " kept_count INTEGER NOT NULL DEFAULT 0, kept_bytes INTEGER NOT NULL DEFAULT 0,"
    " dead_count INTEGER NOT NULL DEFAULT 0, dead_bytes INTEGER NOT NULL DEFAULT 0) STRICT;"
    "INSERT INTO mark(one) VALUES(1);",

    /* Identities outlive their events. Those of a dropped event equal nothing. */
    "CREATE TABLE identity(n INTEGER PRIMARY KEY, dedupe_key BLOB NOT NULL, digest BLOB NOT "
    "NULL,"
    " id BLOB NOT NULL, received_ms INTEGER) STRICT;"
    "INSERT INTO identity(dedupe_key, digest, id, received_ms)"
    " SELECT dedupe_key, CASE WHEN seq IN (SELECT seq FROM gap) AND seq NOT IN (SELECT seq "
    "FROM dead)"
    " THEN zeroblob(16) ELSE digest END, id, received_ms FROM event"
    " WHERE seq > (SELECT last_seq FROM mark) - 262144 AND flags & 4 = 0 ORDER BY seq;"
    "ALTER TABLE mark ADD COLUMN identified_seq INTEGER NOT NULL DEFAULT 0;"
    "UPDATE mark SET identified_seq = last_seq;",

    /* A time that the event itself did not have was the time of receipt; one that is ahead of it
     * had frozen the state. 600000: 10 minutes; 86400000: a day. */
    "CREATE TABLE state_of_topic(topic TEXT PRIMARY KEY, event_ms INTEGER, seq INTEGER NOT "
    "NULL,"
    " received_ms INTEGER, source TEXT, event TEXT, body_bytes INTEGER, gone_ms INTEGER)"
    " STRICT, WITHOUT ROWID;"
    "INSERT INTO state_of_topic SELECT state.topic,"
    " CASE WHEN event.seq IS NOT NULL AND event.event_ms IS NULL THEN NULL"
    " ELSE min(state.event_ms, coalesce(event.received_ms, unixepoch() * 1000) + 600000) END,"
    " state.seq, event.received_ms, event.source, event.event, length(body.body),"
    " CASE WHEN event.flags & 2 THEN event.received_ms + 86400000 END"
    " FROM state LEFT JOIN event ON event.seq = state.seq LEFT JOIN body ON body.seq = "
    "state.seq;"
    "DROP TABLE state;"
    "ALTER TABLE state_of_topic RENAME TO state;"
    "CREATE INDEX state_gone ON state(gone_ms) WHERE gone_ms IS NOT NULL;",

    /* What was synced is compared with a record beside the outbox. */
    "ALTER TABLE mark ADD COLUMN synced_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mark ADD COLUMN lost_count INTEGER NOT NULL DEFAULT 0;",

    /* Events that wait; and dead letters of two kinds are counted apart. */
    "CREATE TABLE held(seq INTEGER PRIMARY KEY, cost_bytes INTEGER NOT NULL,"
    " since_ms INTEGER NOT NULL, reason INTEGER NOT NULL) STRICT;"
    "ALTER TABLE mark ADD COLUMN held_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mark ADD COLUMN held_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mark ADD COLUMN refused_count INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mark ADD COLUMN refused_bytes INTEGER NOT NULL DEFAULT 0;"
    "UPDATE mark SET"
    " refused_count = (SELECT count(*) FROM dead WHERE seq > 0),"
    " refused_bytes = (SELECT coalesce(sum(cost_bytes), 0) FROM dead WHERE seq > 0);",
};
enum { FORMAT = COUNT_OF(migrations) };

static enum status read_number(struct store *store, const char *sql, int64_t *out_number,
                               struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        *out_number = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_finalize(stmt); /* repeats the step's error */
    return rc == SQLITE_ROW ? ST_OK : store_fail(store, err, "read its header");
}

enum status store_check_identity(struct store *store, struct err *err)
{
    int64_t application = 0, format = 0;
    enum status st = read_number(store, "PRAGMA application_id", &application, err);

    if (st == ST_OK) {
        st = read_number(store, "PRAGMA user_version", &format, err);
    }
    if (st != ST_OK) {
        return st;
    }
    if (application != APPLICATION_ID) {
        return err_set(err, ST_INVALID, "a database of another program, not an outbox");
    }
    if (format < 1 || format > FORMAT) {
        return err_set(err, ST_INVALID,
                       "its format is %lld, this hook2mqtt knows 1 to %d: a newer one wrote it",
                       (long long)format, (int)FORMAT);
    }
    return ST_OK;
}

enum status store_check_format(struct store *store, struct err *err)
{
    int64_t format = 0;
    enum status st = read_number(store, "PRAGMA user_version", &format, err);

    if (st == ST_OK && format != FORMAT) {
        st = err_set(
            err, ST_INVALID,
            "its format is %lld, of an older hook2mqtt: `hook2mqtt run` brings it up to "
            "date",
            (long long)format);
    }
    return st;
}

enum status store_migrate(struct store *store, struct err *err)
{
    int64_t format = 0;
    char pragmas[96];
    enum status st = read_number(store, "PRAGMA user_version", &format, err);

    if (st != ST_OK || format == FORMAT) {
        return st;
    }
    /* If we die before the commit, the file is as it was. */
    st = store_exec(store, "BEGIN IMMEDIATE", err);
    for (; st == ST_OK && format < FORMAT; format++) {
        st = store_exec(store, migrations[format], err);
    }
    (void)snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d",
                   (int)APPLICATION_ID, (int)FORMAT);
    if (st == ST_OK) {
        st = store_exec(store, pragmas, err);
    }
    return st == ST_OK ? store_exec(store, "COMMIT", err) : st;
}
