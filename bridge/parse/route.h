/*
 * route - fields to topic: topic templates such as partners/{resource_type}/{event}/{gid}.
 * Pure; any thread.
 *
 * A substituted value is always one topic level, or a part of one. These are percent-encoded byte
 * by byte (upper-case hex): `/ + # %`, a leading `$`, control characters (also U+0080 to U+009F),
 * non-characters (U+FDD0 to U+FDEF, and the last two code points of each plane) and bytes that are
 * not UTF-8. An empty or absent value becomes `_`. So no value can leave its level, brokers that
 * enforce MQTT's "should not include" accept every topic, and two different values never share a
 * topic (except the empty value and `_`).
 */
#ifndef BRIDGE_PARSE_ROUTE_H
#define BRIDGE_PARSE_ROUTE_H

#include "common/buf.h"
#include "common/err.h"

#include "bridge/parse/parse.h"

/* MQTT 5.0 section 1.5.4: a UTF-8 string is at most 65,535 bytes. */
enum { ROUTE_MAX_TOPIC = 65535 };

/* The variables, beside {body.<path>}: what each stands for, its name, and the field that it is
 * made of (PARSE_FIELDS: none). */
#define ROUTE_VARIABLE_MAP(X)                                                                  \
    X(SOURCE, "source", PARSE_FIELDS)                                                          \
    X(EVENT, "event", PARSE_EVENT)                                                             \
    X(ACTION, "action", PARSE_EVENT)                                                           \
    X(RESOURCE_TYPE, "resource_type", PARSE_TYPE)                                              \
    X(RESOURCE_TYPE, "type", PARSE_TYPE)                                                       \
    X(GID, "gid", PARSE_GID)                                                                   \
    X(ID, "id", PARSE_FIELDS)
#define ROUTE_VARIABLE_TEXT(variable, name, field) " {" name "}"
/* " {source} {event} …" */
#define ROUTE_VARIABLES ROUTE_VARIABLE_MAP(ROUTE_VARIABLE_TEXT)

struct route_variable {
    const char *text; /* "{source}" */
    enum parse_field field;
};
/* The i-th one; false behind the last. */
bool route_variable_at(size_t i, struct route_variable *out_variable);

/* A parsed template; immutable. */
struct route;

/* Borrows text. ST_INVALID with a reason that ends with the correct form: an unknown variable
 * (near misses are suggested), a path that json_compile_path refuses, an unclosed brace, a
 * wildcard, an empty template, a leading `$`, a control character, text that is not UTF-8 or
 * longer than a topic. Gives a route for route_destroy. */
enum status route_create(const char *text, struct route **out_route, struct err *err) MUST_USE;
void route_destroy(struct route *route);

/* The values of the variables; {type} is an alias for {resource_type}, and {action} is the part of
 * event behind its last dot. */
struct route_values {
    struct slice source, resource_type, event, gid, id;
    /* For `{body.<path>}`: a JSON body, and the parsed delivery, which owns the texts that must be
     * decoded (parse_body_text). */
    struct slice body;
    struct parsed *parsed;
};

/* Adds the topic to out. ST_TOO_LARGE: longer than ROUTE_MAX_TOPIC; out is unchanged. */
enum status route_topic(const struct route *route, const struct route_values *values,
                        struct buf *out) MUST_USE;

#endif
