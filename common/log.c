/*
 * A line is built in a buffer on the stack and then given to the writer, or, before log_start (and
 * in commands), written with one write(2), so that lines of several threads do not mix. Long values
 * are cut; a field that no longer fits is left out, and counted at the line's end. A line that
 * cannot be written is lost: deliveries must go on without a log.
 */
#include "common/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log_writer.h"
#include "common/utf8.h"

static _Atomic int lowest_level = LOG_INFO;
static _Atomic int line_format = LOG_FORMAT_TEXT;

static const struct {
    const char *name;
    const char *priority; /* syslog(3) */
} levels[] = {
    [LOG_DEBUG] = {"debug", "<7>"}, [LOG_INFO] = {"info", "<6>"},
    [LOG_WARN] = {"warn", "<4>"},   [LOG_ERROR] = {"error", "<3>"},
    [LOG_FATAL] = {"fatal", "<2>"},
};

enum {
    LOG_MAX_VALUE = 256, /* a peer's text is cut here, so that lines stay readable */
    END_ROOM = 40,       /* for fields_left_out and the end of the line */
};

struct line {
    char text[LOG_LINE_MAX];
    size_t len;
    size_t limit; /* no field goes beyond this */
    bool json;
    bool full; /* something did not fit */
};

static void line_add(struct line *line, const char *data, size_t len)
{
    if (len > line->limit - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, data, len);
    line->len += len;
}

static void line_add_str(struct line *line, const char *text)
{
    line_add(line, text, strlen(text));
}

static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

/* Adds the first character of text, and returns its length there. In logfmt bytes beyond ASCII are
 * escaped, too. */
static size_t line_add_character(struct line *line, struct slice text)
{
    unsigned char c = (unsigned char)text.data[0];
    uint32_t code = c;
    size_t len = line->json ? utf8_decode(text.data, text.len, &code) : c < 0x7f;
    char escaped[8];

    if (c == '"' || c == '\\') {
        line_add(line, (char[]){'\\', (char)c}, 2);
    } else if (len == 0) { /* in JSON, the backslash is one of the value's own */
        (void)snprintf(escaped, sizeof(escaped), "%s\\x%02x", line->json ? "\\" : "", c);
        line_add_str(line, escaped);
    } else if (utf8_is_unsafe(code)) {
        (void)snprintf(escaped, sizeof(escaped), line->json ? "\\u%04x" : "\\x%02x",
                       (unsigned)code & 0xffffu);
        line_add_str(line, escaped);
    } else {
        line_add(line, text.data, len);
    }
    return len > 0 ? len : 1;
}

static void line_add_quoted(struct line *line, struct slice text)
{
    size_t i = 0;

    line_add(line, "\"", 1);
    while (i < text.len && i < LOG_MAX_VALUE) {
        i += line_add_character(line, slice_from(text, i));
    }
    line_add_str(line, i < text.len ? "...\"" : "\"");
}

/* Logfmt quotes only where it must. */
static void line_add_text(struct line *line, struct slice text)
{
    bool plain = !line->json && text.len > 0 && text.len <= LOG_MAX_VALUE;

    for (size_t i = 0; plain && i < text.len; i++) {
        plain = is_plain((unsigned char)text.data[i]);
    }
    if (plain) {
        line_add(line, text.data, text.len);
    } else {
        line_add_quoted(line, text);
    }
}

/* Names are our own, and need no escapes. */
static void line_add_name(struct line *line, const char *name, bool first)
{
    const char *before = line->json ? (first ? "{\"" : ",\"") : (first ? "" : " ");

    line_add_str(line, before);
    line_add_str(line, name);
    line_add_str(line, line->json ? "\":" : "=");
}

static void line_add_value(struct line *line, const struct log_field *field)
{
    char text[UUID_TEXT_SIZE];

    switch (field->kind) {
    case LOG_TEXT:
        line_add_text(line, field->text);
        break;
    case LOG_NUMBER:
        (void)snprintf(text, sizeof(text), "%lld", (long long)field->number);
        line_add_str(line, text);
        break;
    case LOG_ID:
        uuid_format(field->id, text);
        line_add_text(line, slice_of(text));
        break;
    }
}

/* False: there was no room, and nothing has been added. */
static bool line_add_field(struct line *line, const struct log_field *field, bool first)
{
    size_t before = line->len;

    line_add_name(line, field->name, first);
    line_add_value(line, field);
    if (line->full) {
        line->len = before;
        line->full = false;
        return false;
    }
    return true;
}

static void line_begin(struct line *line, const char *priority, enum log_level level,
                       const char *msg)
{
    char now[CLOCK_TEXT_SIZE];

    line->json = atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_FORMAT_JSON;
    line->len = 0;
    line->limit = sizeof(line->text) - END_ROOM;
    line->full = false;
    clock_format(clock_unix_ms(), now);
    line_add_str(line, priority);
    (void)line_add_field(line, &L_STR("ts", now), true);
    (void)line_add_field(line, &L_STR("level", levels[level].name), false);
    (void)line_add_field(line, &L_STR("msg", msg), false); /* all three fit: values are cut */
}

static void line_end(struct line *line, int64_t left_out)
{
    line->limit = sizeof(line->text);
    if (left_out > 0) {
        (void)line_add_field(line, &L_INT("fields_left_out", left_out), false);
    }
    line_add_str(line, line->json ? "}\n" : "\n");
}

static void line_make(struct line *line, const char *priority, enum log_level level,
                      const char *msg, const struct log_field *fields)
{
    int64_t left_out = 0;

    line_begin(line, priority, level, msg);
    for (; fields->name != NULL; fields++) {
        if (fields->kind != LOG_TEXT || fields->text.data != NULL) {
            left_out += !line_add_field(line, fields, false);
        }
    }
    line_end(line, left_out);
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
    struct line line;

    if ((int)level < atomic_load_explicit(&lowest_level, memory_order_relaxed)) {
        return;
    }
    line_make(&line, log_priority(STDERR_FILENO, level), level, msg, fields);
    if (!log_writer_put(line.text, line.len)) {
        /* If it cannot be written, there is nowhere to say so. */
        (void)!write(STDERR_FILENO, line.text, line.len);
    }
}

/* ---- the journal ---- */

/* systemd.exec(5): JOURNAL_STREAM is the device and inode of the journal's socket, which a child
 * with other descriptors inherits, too. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat info;
    char own[64];

    if (stream == NULL || fstat(fd, &info) != 0) {
        return false;
    }
    (void)snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)info.st_dev,
                   (unsigned long long)info.st_ino);
    return strcmp(stream, own) == 0;
}

const char *log_priority(int fd, enum log_level level)
{
    return is_journal(fd) ? levels[level].priority : "";
}

/* ---- the writer ---- */

static bool to_journal; /* stderr, at log_start */

static size_t make_notice(uint64_t count, char out_line[LOG_LINE_MAX])
{
    struct line line;

    line_make(&line, to_journal ? levels[LOG_WARN].priority : "", LOG_WARN,
              "log lines were dropped", LOG_FIELDS(L_INT("lines", count), {0}));
    memcpy(out_line, line.text, line.len);
    return line.len;
}

static void tell_failed_check(const char *what, const char *condition, const char *at)
{
    log_fatal(what, L_STR("condition", condition), L_STR("at", at));
}

enum status log_start(struct err *err)
{
    enum status st;

    to_journal = is_journal(STDERR_FILENO);
    st = log_writer_start(make_notice, err);
    if (st == ST_OK) {
        check_tell_by(tell_failed_check);
    }
    return st;
}

void log_stop(int64_t wait_ms)
{
    log_writer_stop(wait_ms);
}

/* ---- limits and options ---- */

bool log_allows(struct log_limit *limit, int64_t interval_ms, int64_t *out_left_out)
{
    int64_t now_ms = clock_mono_ms();
    int64_t next_ms = atomic_load(&limit->next_ms);

    if (now_ms < next_ms ||
        !atomic_compare_exchange_strong(&limit->next_ms, &next_ms, now_ms + interval_ms)) {
        atomic_fetch_add(&limit->left_out, 1);
        return false;
    }
    *out_left_out = atomic_exchange(&limit->left_out, 0);
    return true;
}

void log_set_level(enum log_level level)
{
    atomic_store(&lowest_level, (int)level);
}

bool log_level_parse(const char *name, enum log_level *out_level)
{
    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (strcmp(name, levels[level].name) == 0) {
            *out_level = (enum log_level)level;
            return true;
        }
    }
    return false;
}

void log_set_format(enum log_format format)
{
    atomic_store(&line_format, (int)format);
}

bool log_format_parse(const char *name, enum log_format *out_format)
{
    bool json = strcmp(name, "json") == 0;

    if (!json && strcmp(name, "text") != 0) {
        return false;
    }
    *out_format = json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return true;
}
