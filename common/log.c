/*
 * A line is built in a buffer on the stack and written with one write(2), so that lines of several
 * threads do not mix. Long values and lines are cut. If the line cannot be written it is lost:
 * deliveries must go on without a log.
 */
#include "common/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <unistd.h>

#include "common/clock.h"

static _Atomic int lowest_level = LOG_INFO;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info",   [LOG_WARN] = "warn",
    [LOG_ERROR] = "error", [LOG_FATAL] = "fatal",
};

enum {
    LOG_MAX_VALUE = 256, /* a peer's text is cut here, so that lines stay readable */
    LOG_MAX_LINE = 4096,
    LIMIT_MS = 1000, /* log_limit: one line per interval */
};

struct line {
    char text[LOG_MAX_LINE];
    size_t len;
};

static void line_add(struct line *line, const char *data, size_t len)
{
    size_t room = sizeof(line->text) - 1 - line->len; /* keeps a place for the newline */

    if (len > room) {
        len = room;
    }
    memcpy(line->text + line->len, data, len);
    line->len += len;
}

static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

static void line_add_escaped(struct line *line, unsigned char c)
{
    char hex[5];

    if (c == '"' || c == '\\') {
        line_add(line, (char[]){'\\', (char)c}, 2);
    } else if (c >= ' ' && c < 0x7f) {
        line_add(line, (char[]){(char)c}, 1);
    } else {
        (void)snprintf(hex, sizeof(hex), "\\x%02x", c);
        line_add(line, hex, 4);
    }
}

/* Quotes if logfmt needs it. Bytes beyond ASCII are escaped, too, because logs are read in
 * terminals. */
static void line_add_text(struct line *line, struct slice text)
{
    size_t len = text.len < LOG_MAX_VALUE ? text.len : LOG_MAX_VALUE;
    bool plain = len > 0 && len == text.len;

    for (size_t i = 0; plain && i < len; i++) {
        plain = is_plain((unsigned char)text.data[i]);
    }
    if (plain) {
        line_add(line, text.data, len);
        return;
    }
    line_add(line, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        line_add_escaped(line, (unsigned char)text.data[i]);
    }
    line_add(line, len < text.len ? "...\"" : "\"", len < text.len ? 4 : 1);
}

static void line_add_field(struct line *line, const struct log_field *field)
{
    char number[UUID_TEXT_SIZE];

    if (field->kind == LOG_TEXT && field->text.data == NULL) {
        return;
    }
    if (line->len > 0) {
        line_add(line, " ", 1);
    }
    line_add(line, field->name, strlen(field->name));
    line_add(line, "=", 1);
    switch (field->kind) {
    case LOG_TEXT:
        line_add_text(line, field->text);
        return;
    case LOG_NUMBER:
        (void)snprintf(number, sizeof(number), "%lld", (long long)field->number);
        break;
    case LOG_ID:
        uuid_format(field->id, number);
        break;
    }
    line_add(line, number, strlen(number));
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
    struct line line = {.len = 0};
    char now[CLOCK_TEXT_SIZE];

    if ((int)level < atomic_load_explicit(&lowest_level, memory_order_relaxed)) {
        return;
    }
    clock_format(clock_unix_ms(), now);
    line_add_field(&line, &L_STR("ts", now));
    line_add_field(&line, &L_STR("level", level_names[level]));
    line_add_field(&line, &L_STR("msg", msg));
    for (; fields->name != NULL; fields++) {
        line_add_field(&line, fields);
    }
    line.text[line.len++] = '\n';
    /* A log that cannot be written must not stop deliveries, and cannot be reported anywhere. */
    if (write(STDERR_FILENO, line.text, line.len) < 0) {
        return;
    }
}

bool log_allows(struct log_limit *limit, int64_t *out_left_out)
{
    int64_t now_ms = clock_mono_ms();
    int64_t next_ms = atomic_load(&limit->next_ms);

    if (now_ms < next_ms ||
        !atomic_compare_exchange_strong(&limit->next_ms, &next_ms, now_ms + LIMIT_MS)) {
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
        if (strcmp(name, level_names[level]) == 0) {
            *out_level = (enum log_level)level;
            return true;
        }
    }
    return false;
}
