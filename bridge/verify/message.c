/*
 * What is signed: a template of text and {body}, {timestamp}, {id}. A message must not have
 * two readings (id "a" and body "b.c", or id "a.b" and body "c"), or a signature for one
 * delivery would be good for another.
 *
 * - An id ends, on the body's side, where the text beside it begins: it must not contain the
 *   character next to it.
 * - A timestamp shows its own ends, so it needs no text beside it. In RFC 3339 the date precedes
 *   the only T, and a Z or an offset comes last. A number has no digit beside it or, where it
 *   touches another variable, a fixed length. So one known side fixes its place: an end of the
 *   message, a text, or an id with text on its other side.
 *
 * One form remains: {id}{timestamp}{body}, or the same backwards. There, a part of the body could
 * be read as the timestamp, and everything before it as the id. The body of the one reading would
 * then be the end of the other's (backwards: its beginning). But the body of an event is a JSON
 * object, and no JSON object is the end of another one:
 *
 * - If it began outside the other's strings, the other's last brace would be one too many for it.
 * - If it began inside a string, it would take the other's strings for what is between strings,
 *   and so end inside a string.
 *
 * Nor is it the beginning of another one, because an object ends with the brace that closes it.
 * For a provider whose bodies are not JSON none of this holds: its message must have text between
 * the timestamp and the id, or between the timestamp and the body.
 *
 * No rule here depends on the timestamp's age. Where variables touch, describe.c demands a
 * tolerance all the same, so that an attacker has only recent deliveries to try.
 */
#include "bridge/verify/internal.h"

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

/* What precedes it must end by itself. */
static enum status check_neighbour(struct message *message, enum message_kind kind,
                                   struct err *err)
{
    enum message_kind before =
        message->count > 0 ? message->pieces[message->count - 1].kind : MESSAGE_TEXT;

    if (before == MESSAGE_TEXT) {
        return ST_OK;
    }
    if (before != MESSAGE_TIMESTAMP && kind != MESSAGE_TIMESTAMP) {
        return err_set(err, ST_INVALID, "must have a character between %s and %s",
                       names[before], names[kind]);
    }
    message->tight = true;
    return ST_OK;
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
            (void)err_set(err, ST_INVALID, "contains %s twice", names[kind]);
            return 0;
        }
        if (check_neighbour(message, kind, err) != ST_OK) {
            return 0;
        }
        add_piece(message, kind, SLICE_NONE);
        return len;
    }
    (void)err_set(err, ST_INVALID,
                  "has a brace that belongs to none of {body}, {timestamp} and {id}: %s", at);
    return 0;
}

/* What is beside pieces[i], which is not the body, on the body's side. */
static size_t towards(size_t body, size_t i)
{
    return i < body ? i + 1 : i - 1;
}

/* The character that is beside it there; '\0': it is a variable's. */
static char border_of(const struct message *message, size_t i, size_t body)
{
    const struct message_piece *next = &message->pieces[towards(body, i)];

    if (next->kind != MESSAGE_TEXT) {
        return '\0';
    }
    return next->text.data[i < body ? 0 : next->text.len - 1];
}

/* What a timestamp, in any form, can end with. */
static bool could_be_of_timestamp(char c)
{
    return (c >= '0' && c <= '9') || c == 'Z';
}

static enum status check_borders(struct message *message, struct err *err)
{
    size_t body = 0;

    while (message->pieces[body].kind != MESSAGE_BODY) {
        body++;
    }
    for (size_t i = 0; i < message->count; i++) {
        enum message_kind kind = message->pieces[i].kind;

        if (kind == MESSAGE_TIMESTAMP && could_be_of_timestamp(border_of(message, i, body))) {
            return err_set(err, ST_INVALID, "must not have a digit or Z beside {timestamp}");
        }
        if (kind == MESSAGE_ID) {
            size_t next = towards(body, i);
            bool timed = message->pieces[next].kind == MESSAGE_TIMESTAMP;

            /* That one's length is its own, so what is behind it ends both. */
            message->id_border = border_of(message, timed ? next : i, body);
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
                       "must contain {body}: a signature that does not cover the "
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
