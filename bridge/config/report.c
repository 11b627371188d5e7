/*
 * Findings, and the place in the file that they are about.
 *
 * A finding is an error or a warning at a path such as sources[0].topic. The reader's path follows
 * the walk through the file: entered for each key and item, left behind them.
 */
#include "bridge/config/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/json.h"

enum { MAX_QUOTED = 80 };

static void add_finding(struct config_faults *faults, bool warning, const char *path,
                        const char *format, va_list args) __attribute__((format(printf, 4, 0)));

static void add_finding(struct config_faults *faults, bool warning, const char *path,
                        const char *format, va_list args)
{
    struct config_fault *fault;
    char *text;

    CHECK(vasprintf(&text, format, args) >= 0);
    /* Grows when the count is a power of two. */
    if ((faults->count & (faults->count - 1)) == 0) {
        size_t room = faults->count == 0 ? 1 : faults->count * 2;

        faults->items = xrealloc(faults->items, room * sizeof(faults->items[0]));
    }
    fault = &faults->items[faults->count++];
    *fault = (struct config_fault){.warning = warning, .path = xstrdup(path), .text = text};
    faults->error_count += !warning;
}

const char *config_without_name(const char *text, const char *path)
{
    static const char open[] = "open ";
    const char *rest = strncmp(text, open, strlen(open)) == 0 ? text + strlen(open) : text;
    size_t len = strlen(path);

    return strncmp(rest, path, len) == 0 ? rest + len + strspn(rest + len, ": ") : text;
}

bool config_may_pass(const struct config_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        if (!faults->items[i].warning && !faults->items[i].outside) {
            return false;
        }
    }
    return true;
}

void config_fault(struct config_faults *faults, const char *path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_finding(faults, false, path, format, args);
    va_end(args);
}

void config_warn(struct config_faults *faults, const char *path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_finding(faults, true, path, format, args);
    va_end(args);
}

void reader_miss(struct reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_finding(reader->faults, reader->optional, reader_path(reader), format, args);
    va_end(args);
    reader->faults->items[reader->faults->count - 1].outside = true;
}

bool config_is_faulty(const struct config_faults *faults, const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < faults->count; i++) {
        const struct config_fault *fault = &faults->items[i];

        if (!fault->warning && strncmp(fault->path, path, len) == 0 &&
            (fault->path[len] == '\0' || strchr(".[", fault->path[len]))) {
            return true;
        }
    }
    return false;
}

void config_faults_free(struct config_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        free(faults->items[i].path);
        free(faults->items[i].text);
    }
    free(faults->items);
    *faults = (struct config_faults){0};
}

void config_add_quoted(struct buf *out, struct slice text)
{
    bool cut = text.len > MAX_QUOTED;

    json_add_string(out, (struct slice){text.data, cut ? MAX_QUOTED : text.len});
    if (cut) {
        buf_add_str(out, "…");
    }
}

static bool is_plain_key(struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '$')) {
            return false;
        }
    }
    return key.len > 0 && key.len <= MAX_QUOTED;
}

size_t reader_enter_key(struct reader *reader, struct slice key)
{
    size_t offset = reader->path.len;

    if (offset > 0) {
        buf_add_char(&reader->path, '.');
    }
    if (is_plain_key(key)) {
        buf_add_slice(&reader->path, key);
    } else {
        config_add_quoted(&reader->path, key);
    }
    return offset;
}

size_t reader_enter_item(struct reader *reader, size_t index)
{
    size_t offset = reader->path.len;

    buf_addf(&reader->path, "[%zu]", index);
    return offset;
}

void reader_leave(struct reader *reader, size_t offset)
{
    if (reader->path.data) {
        reader->path.len = offset;
        reader->path.data[offset] = '\0';
    }
}

const char *reader_path(const struct reader *reader)
{
    return reader->path.data ? reader->path.data : "";
}

const char *source_path(struct source_view *view, const char *key)
{
    (void)snprintf(view->path, sizeof(view->path), "sources[%zu].%s", view->index, key);
    return view->path;
}

bool source_is_faulty(struct source_view *view, const char *key)
{
    return config_is_faulty(view->faults, source_path(view, key));
}

const char *config_type_words(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return "null";
    case json_type_boolean:
        return json_object_get_boolean(value) ? "true" : "false";
    case json_type_double:
    case json_type_int:
        return "a number";
    case json_type_object:
        return "an object";
    case json_type_array:
        return "a list";
    case json_type_string:
        return "text";
    }
    return "something else";
}

void config_wrong_type(struct reader *reader, const char *wanted, struct json_object *value)
{
    config_fault(reader->faults, reader_path(reader), "must be %s, not %s", wanted,
                 config_type_words(value));
}

void config_out_of_range(struct reader *reader, const struct setting *setting)
{
    struct buf range = {0};

    setting_add_range(&range, setting);
    config_fault(reader->faults, reader_path(reader), "must be %s", range.data);
    buf_free(&range);
}
