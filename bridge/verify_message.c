/*
 * What is signed: a template of text and {body}, {timestamp}, {id}. A message must not have
 * two readings (id "a" and body "b.c", or id "a.b" and body "c"), or a signature for one
 * delivery would be good for another. So every variable other than the body ends, towards the
 * body, where the text beside it begins; and neither a timestamp nor an id can hold the
 * character that it begins with.
 */
#include "bridge/verify_internal.h"

#include <string.h>

static const char *const names[MESSAGE_KINDS] = {
    [MESSAGE_TEXT] = "text",
    [MESSAGE_BODY] = "{body}",
    [MESSAGE_TIMESTAMP] = "{timestamp}",
    [MESSAGE_ID] = "{id}",
};

static void add_piece(struct message *message, enum message_kind kind, struct slice text)
{
    CHECK(message->count < COUNT_OF(message->pieces));
    message->pieces[message->count++] = (struct message_piece){kind, text};
    message->holds[kind] = true;
}

/* At a brace. Returns what it used; 0: an error. */
static size_t compile_variable(struct message *message, const char *at, struct err *err)
{
    for (enum message_kind kind = MESSAGE_BODY; kind < MESSAGE_KINDS; kind++) {
        size_t len = strlen(names[kind]);

        if (strncmp(at, names[kind], len) != 0) {
            continue;
        }
        if (message->holds[kind]) {
            (void)err_set(err, ST_INVALID, "holds %s twice", names[kind]);
            return 0;
        }
        if (message->count > 0 && message->pieces[message->count - 1].kind != MESSAGE_TEXT) {
            (void)err_set(err, ST_INVALID, "must have a character between %s and %s",
                          names[message->pieces[message->count - 1].kind], names[kind]);
            return 0;
        }
        add_piece(message, kind, SLICE_NONE);
        return len;
    }
    (void)err_set(err, ST_INVALID,
                  "has a brace that belongs to none of {body}, {timestamp} and {id}: %s", at);
    return 0;
}

/* The character of the text beside pieces[i] that faces the body; '\0': there is no text. */
static char border_of(const struct message *message, size_t i, size_t body)
{
    if (i < body) {
        return message->pieces[i + 1].text.data[0];
    }
    return message->pieces[i - 1].text.data[message->pieces[i - 1].text.len - 1];
}

static enum status check_borders(struct message *message, struct err *err)
{
    size_t body = 0;

    while (message->pieces[body].kind != MESSAGE_BODY) {
        body++;
    }
    for (size_t i = 0; i < message->count; i++) {
        enum message_kind kind = message->pieces[i].kind;

        if (kind == MESSAGE_ID) {
            message->id_border = border_of(message, i, body);
        }
        if (kind == MESSAGE_TIMESTAMP && strchr("0123456789", border_of(message, i, body))) {
            return err_set(err, ST_INVALID, "must not have a digit beside {timestamp}");
        }
    }
    return ST_OK;
}

enum status message_compile(const char *template, struct message *out_message, struct err *err)
{
    struct message message = {0};
    enum status st;

    for (const char *at = template; *at != '\0';) {
        size_t used = strcspn(at, "{}");

        if (used > 0) {
            add_piece(&message, MESSAGE_TEXT, (struct slice){at, used});
        } else {
            used = compile_variable(&message, at, err);
        }
        if (used == 0) {
            return ST_INVALID;
        }
        at += used;
    }
    if (!message.holds[MESSAGE_BODY]) {
        return err_set(err, ST_INVALID,
                       "must hold {body}: a signature that does not cover the "
                       "body proves nothing");
    }
    st = check_borders(&message, err);
    if (st == ST_OK) {
        *out_message = message;
    }
    return st;
}

struct slice message_part(const struct message *message, size_t i,
                          const struct message_values *values)
{
    const struct message_piece *piece = &message->pieces[i];

    return piece->kind == MESSAGE_TEXT ? piece->text : values->of[piece->kind];
}

bool message_accepts_id(const struct message *message, struct slice id)
{
    if (id.len == 0 || id.len > VERIFY_MAX_ID) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        if (id.data[i] <= ' ' || id.data[i] > '~' || id.data[i] == message->id_border) {
            return false;
        }
    }
    return true;
}

bool timestamp_read(struct slice text, int64_t *out_s)
{
    int64_t value = 0;

    if (text.len == 0 || text.len > TIMESTAMP_MAX_DIGITS ||
        (text.data[0] == '0' && text.len > 1)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    *out_s = value;
    return true;
}
