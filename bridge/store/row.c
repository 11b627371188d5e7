/*
 * An event as the columns of a row, both ways, from the one list EVENT_COLUMNS.
 *
 * Binding cannot fail. A text over SQLite's limit of a billion bytes would be stored as NULL;
 * intake accepts none that long. Reading finds a damaged row by the size of its fixed columns
 * and leaves it to the caller to say which row it is.
 */
#include "bridge/store/internal.h"

#include <string.h>

#include "common/clock.h"

/* ---- in ---- */

void store_bind_text(sqlite3_stmt *stmt, int at, struct slice text)
{
    if (text.data == NULL) {
        (void)sqlite3_bind_null(stmt, at);
    } else {
        (void)sqlite3_bind_text64(stmt, at, text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
    }
}

void store_bind_body(sqlite3_stmt *stmt, int at, struct slice body)
{
    (void)sqlite3_bind_blob64(stmt, at, body.data != NULL ? body.data : "", body.len,
                              SQLITE_STATIC);
}

void store_bind_time(sqlite3_stmt *stmt, int at, int64_t time_ms)
{
    if (time_ms == CLOCK_NONE) {
        (void)sqlite3_bind_null(stmt, at);
    } else {
        (void)sqlite3_bind_int64(stmt, at, time_ms);
    }
}

static int flags_of(const struct event *event)
{
    int flags = 0;

#define FLAG(member, bit) flags |= event->member ? (bit) : 0;
    EVENT_FLAGS(FLAG)
#undef FLAG
    return flags;
}

void store_bind_event(sqlite3_stmt *stmt, int at, const struct event *event)
{
#define BYTES(member)                                                                          \
    (void)sqlite3_bind_blob(stmt, at++, &event->member, sizeof(event->member), SQLITE_STATIC);
#define INTEGER(member)            (void)sqlite3_bind_int64(stmt, at++, event->member);
#define TIME(member)               store_bind_time(stmt, at++, event->member);
#define TEXT(member)               store_bind_text(stmt, at++, event->member);
#define FLAGS(member)              (void)sqlite3_bind_int(stmt, at++, flags_of(event));
#define COLUMN(name, kind, member) kind(member)
    EVENT_COLUMNS(COLUMN)
#undef COLUMN
#undef BYTES
#undef INTEGER
#undef TIME
#undef TEXT
#undef FLAGS
}

/* ---- out ---- */

struct slice store_read_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    return text == NULL ? SLICE_NONE
                        : (struct slice){text, (size_t)sqlite3_column_bytes(stmt, column)};
}

struct slice store_read_body(sqlite3_stmt *stmt, int column)
{
    const char *data = sqlite3_column_blob(stmt, column); /* NULL if it is empty */

    return (struct slice){data != NULL ? data : "", (size_t)sqlite3_column_bytes(stmt, column)};
}

bool store_read_bytes(sqlite3_stmt *stmt, int column, void *out_bytes, size_t size_bytes)
{
    const void *data = sqlite3_column_blob(stmt, column);

    if (data == NULL || (size_t)sqlite3_column_bytes(stmt, column) != size_bytes) {
        return false;
    }
    memcpy(out_bytes, data, size_bytes);
    return true;
}

int64_t store_read_time(sqlite3_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL
               ? CLOCK_NONE
               : sqlite3_column_int64(stmt, column);
}

static void set_flags(struct event *event, int flags)
{
#define FLAG(member, bit) event->member = (flags & (bit)) != 0;
    EVENT_FLAGS(FLAG)
#undef FLAG
}

bool store_decode_event(sqlite3_stmt *stmt, int at, struct event *out_event)
{
    bool intact = true;

    *out_event = (struct event){.seq = 0};
#define BYTES(member)                                                                          \
    intact =                                                                                   \
        store_read_bytes(stmt, at++, &out_event->member, sizeof(out_event->member)) && intact;
#define INTEGER(member)                                                                        \
    out_event->member = (__typeof__(out_event->member))sqlite3_column_int64(stmt, at++);
#define TIME(member)               out_event->member = store_read_time(stmt, at++);
#define TEXT(member)               out_event->member = store_read_text(stmt, at++);
#define FLAGS(member)              set_flags(out_event, sqlite3_column_int(stmt, at++));
#define COLUMN(name, kind, member) kind(member)
    EVENT_COLUMNS(COLUMN)
#undef COLUMN
#undef BYTES
#undef INTEGER
#undef TIME
#undef TEXT
#undef FLAGS
    return intact;
}
