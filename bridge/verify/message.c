/*
 * What is signed: a template of text and {body}, {timestamp}, {id}. A message must not have
 * two readings (id "a" and body "b.c", or id "a.b" and body "c"), or a signature for one
 * delivery would be good for another.
 *
 * - An id ends, towards the body, where the text beside it begins: it cannot hold the character
 *   that this begins with.
 * - A timestamp shows its own ends. In RFC 3339, the date is before its only T, and it is over
 *   with its Z or offset; a number has no digit beside it, or, if another variable is, a fixed
 *   length. So no text needs to be beside it, and where it stands is known as soon as one of its
 *   sides is: the message's end, a text, or an id that has text on its other side.
 *
 * What remains is {id}{timestamp}{body}, and the same backwards: something in the body could be
 * taken for the timestamp, and all before it for the id. But then the one body is the end of
 * the other, and the bodies of events are JSON objects, of which none is the end of another
 * one. If it began inside the other one, but outside of its strings, its braces would be closed
 * one too early. If it began inside of a string, it would take all that is between strings for
 * a string, and so end in one. (Nor is it the beginning of another one: it is over with its
 * last brace.) This speaks of providers that sign JSON: of one that signs any text, an id and a
 * body must not share the timestamp.
 *
 * None of this rests on a timestamp's age. That it is looked at all the same where variables
 * touch (describe.c) leaves only what is recent to try.
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
