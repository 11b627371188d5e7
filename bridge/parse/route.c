/*
 * Topic templates. One is parsed once, into segments: literal text and variables. A topic is then
 * the segments' values in order, each variable's value percent-encoded so that it cannot leave its
 * level.
 *
 * A wrong template is refused with a reason that shows the correct form. A value is never wrong,
 * but the topic may get too long: then out is as before.
 */
#include "bridge/parse/route.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/nearest.h"
#include "common/utf8.h"

#include "bridge/parse/internal.h"

enum variable { LITERAL, SOURCE, RESOURCE_TYPE, EVENT, ACTION, GID, ID, BODY };

#define VARIABLE(variable, name, field) {(name), "{" name "}", (variable), (field)},
static const struct {
    const char *name, *text;
    enum variable variable;
    enum parse_field field;
} variables[] = {ROUTE_VARIABLE_MAP(VARIABLE)};

bool route_variable_at(size_t i, struct route_variable *out_variable)
{
    if (i < COUNT_OF(variables)) {
        *out_variable = (struct route_variable){variables[i].text, variables[i].field};
    }
    return i < COUNT_OF(variables);
}

#define BODY_PREFIX SLICE("body.")

/* A piece of a template. */
struct segment {
    enum variable variable;
    struct slice text; /* of a LITERAL */
    struct buf path;   /* of a BODY; compiled */
};

struct route {
    char *text; /* the template; segments borrow from it */
    struct segment *segments;
    size_t count;
};

static struct segment *add_segment(struct route *route, enum variable variable,
                                   struct slice text)
{
    route->segments =
        xrealloc(route->segments, (route->count + 1) * sizeof(route->segments[0]));
    route->segments[route->count] = (struct segment){.variable = variable, .text = text};
    return &route->segments[route->count++];
}

static enum status unknown_variable(struct slice name, struct err *err)
{
    struct nearest near = {.text = name};

    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        nearest_offer(&near, variables[i].name);
    }
    if (near.word) {
        return err_set(err, ST_INVALID, "unknown variable {%.*s}; did you mean {%s}?",
                       SLICE_ARG(name), near.word);
    }
    return err_set(err, ST_INVALID,
                   "unknown variable {%.*s}; the variables are" ROUTE_VARIABLES
                   " and {body.<path>}",
                   SLICE_ARG(name));
}

/* name: the text between the braces. */
static enum status add_variable(struct route *route, struct slice name, struct err *err)
{
    if (memchr(name.data, '|', name.len) && !memchr(name.data, '"', name.len)) {
        return err_set(
            err, ST_INVALID,
            "{%.*s} has a |, but a topic has no alternatives; write them in `fields`, and "
            "the field here, such as {gid}",
            SLICE_ARG(name));
    }
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        if (slice_equal(name, slice_of(variables[i].name))) {
            (void)add_segment(route, variables[i].variable, SLICE_NONE);
            return ST_OK;
        }
    }
    if (slice_starts_with(name, BODY_PREFIX) && name.len > BODY_PREFIX.len) {
        struct segment *segment = add_segment(route, BODY, SLICE_NONE);

        return json_compile_path(slice_from(name, BODY_PREFIX.len), &segment->path, err);
    }
    return unknown_variable(name, err);
}

/* The checks that need not know about variables. */
static enum status check_template(struct slice text, struct err *err)
{
    if (text.len == 0) {
        return err_set(err, ST_INVALID,
                       "is empty; write one such as "
                       "partners/{resource_type}/{event}/{gid}");
    }
    if (text.len > ROUTE_MAX_TOPIC) {
        return err_set(err, ST_INVALID, "is longer than a topic may be; use at most %d bytes",
                       ROUTE_MAX_TOPIC);
    }
    if (text.data[0] == '$') {
        return err_set(err, ST_INVALID,
                       "begins with $, which is reserved for the broker; begin with another "
                       "character");
    }
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        size_t n = utf8_decode(text.data + i, text.len - i, &c);

        if (n == 0) {
            return err_set(err, ST_INVALID, "is not UTF-8 at byte %zu; save it as UTF-8", i);
        }
        if (utf8_is_unfit(c)) {
            return err_set(err, ST_INVALID,
                           "contains U+%04X, which topics must not contain; remove it",
                           (unsigned)c);
        }
        i += n;
    }
    return ST_OK;
}

static enum status parse_template(struct route *route, struct slice text, struct err *err)
{
    const char *p = text.data, *end = text.data + text.len;

    while (p < end) {
        const char *stop = p + strcspn(p, "{}+#");
        const char *close = *stop == '{' ? parse_brace_end(stop) : NULL;
        enum status st;

        if (stop > p) {
            (void)add_segment(route, LITERAL, (struct slice){p, (size_t)(stop - p)});
        }
        if (*stop == '\0') {
            return ST_OK;
        }
        if (*stop == '+' || *stop == '#') {
            return err_set(
                err, ST_INVALID,
                "contains the wildcard %c, which is only for subscriptions; remove it", *stop);
        }
        if (*stop == '}') {
            return err_set(err, ST_INVALID, "contains a } without its {; write {name}");
        }
        if (close == NULL) {
            return err_set(err, ST_INVALID, "contains a { without its }; write {name}");
        }
        st = add_variable(route, (struct slice){stop + 1, (size_t)(close - stop - 1)}, err);
        if (st != ST_OK) {
            return st;
        }
        p = close + 1;
    }
    return ST_OK;
}

enum status route_create(const char *text, struct route **out_route, struct err *err)
{
    struct slice template = slice_of(text);
    enum status st = check_template(template, err);
    struct route *route;

    if (st != ST_OK) {
        return st;
    }
    route = xalloc(sizeof(*route));
    route->text = xstrdup(text);
    st = parse_template(route, slice_of(route->text), err);
    if (st != ST_OK) {
        route_destroy(route);
        return st;
    }
    *out_route = route;
    return ST_OK;
}

void route_destroy(struct route *route)
{
    if (route) {
        for (size_t i = 0; i < route->count; i++) {
            buf_free(&route->segments[i].path);
        }
        free(route->segments);
        free(route->text);
        free(route);
    }
}

static struct slice action_of(struct slice event)
{
    const char *dot = event.len > 0 ? memrchr(event.data, '.', event.len) : NULL;

    return dot ? (struct slice){dot + 1, (size_t)(event.data + event.len - dot - 1)} : event;
}

static struct slice value_of(const struct segment *segment, const struct route_values *values)
{
    switch (segment->variable) {
    case LITERAL:
        return segment->text;
    case SOURCE:
        return values->source;
    case RESOURCE_TYPE:
        return values->resource_type;
    case EVENT:
        return values->event;
    case ACTION:
        return action_of(values->event);
    case GID:
        return values->gid;
    case ID:
        return values->id;
    case BODY:
        return parse_body_text(values->parsed, values->body, buf_slice(&segment->path));
    }
    CHECK(!"a variable without a value");
    return SLICE_NONE;
}

/* How many bytes at i can stay as they are; 0: the byte there must be encoded. */
static size_t fit_bytes(struct slice value, size_t i, uint32_t *out_code_point)
{
    unsigned char c = (unsigned char)value.data[i];
    size_t n;

    if (c >= 0x20 && c < 0x7F) {
        return c != '/' && c != '+' && c != '#' && c != '%' && (c != '$' || i > 0);
    }
    n = utf8_decode(value.data + i, value.len - i, out_code_point);
    return n > 0 && !utf8_is_unfit(*out_code_point) ? n : 0;
}

static void add_value(struct buf *out, struct slice value)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t i = 0;

    if (value.len == 0) {
        buf_add_char(out, '_');
        return;
    }
    while (i < value.len) {
        size_t start = i, n;
        uint32_t code_point;

        while (i < value.len && (n = fit_bytes(value, i, &code_point)) > 0) {
            i += n;
        }
        buf_add(out, value.data + start, i - start);
        if (i < value.len) {
            unsigned char c = (unsigned char)value.data[i++];

            buf_add(out, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
        }
    }
}

enum status route_topic(const struct route *route, const struct route_values *values,
                        struct buf *out)
{
    size_t start = out->len;

    buf_reserve(out, 0); /* so that there is a terminator to put back */
    for (size_t i = 0; i < route->count; i++) {
        const struct segment *segment = &route->segments[i];
        struct slice value = value_of(segment, values);
        bool fits = value.len <= ROUTE_MAX_TOPIC; /* if not, encoding it would be in vain */

        if (fits && segment->variable == LITERAL) {
            buf_add_slice(out, value);
        } else if (fits) {
            add_value(out, value);
        }
        if (!fits || out->len - start > ROUTE_MAX_TOPIC) {
            out->len = start;
            out->data[start] = '\0';
            return ST_TOO_LARGE;
        }
    }
    return ST_OK;
}
