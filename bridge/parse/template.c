/*
 * The language of field templates (see struct provider_fields), compiled from left to right:
 * text and {parts}, with | between alternatives. An empty last alternative makes the field
 * optional.
 *
 * A template can be wrong in many ways; each has a reason that shows the correct form. Some are
 * not errors of syntax but mistakes that would go unnoticed: text that looks like a path
 * without its braces, or {url} for a source that has no paths below its own.
 */
#include "bridge/parse/internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "common/utf8.h"

static const struct {
    const char *name, *form;
} kinds[] = {
    {"body", "{body.path.to.field}"},
    {"header", "{header.Name}"},
    {"url", "{url}"},
};
#define BODY_PREFIX   SLICE("body.")
#define HEADER_PREFIX SLICE("header.")

enum status parser_add_path(struct parser *parser, struct slice path, size_t *out_index,
                            struct err *err)
{
    struct buf compiled = {0};
    enum status st = json_compile_path(path, &compiled, err);
    size_t i = 0;

    while (i < parser->path_count && !slice_equal(parser->paths[i], buf_slice(&compiled))) {
        i++;
    }
    if (st == ST_OK && i == JSON_MAX_PATHS) {
        st = err_set(err, ST_INVALID,
                     "the templates together use more than %d fields of the body; remove "
                     "some",
                     JSON_MAX_PATHS);
    }
    if (st != ST_OK || i < parser->path_count) {
        buf_free(&compiled);
    } else {
        parser->path_texts[i] = compiled;
        parser->paths[i] = buf_slice(&parser->path_texts[i]);
        parser->path_count++;
    }
    *out_index = i;
    return st;
}

static void add_alternative(struct template *template)
{
    template->alternatives = xrealloc(
        template->alternatives, (template->count + 1) * sizeof(template->alternatives[0]));
    template->alternatives[template->count++] = (struct alternative){NULL, 0};
}

static enum status add_part(struct template *template, struct part part, struct err *err)
{
    struct alternative *alternative = &template->alternatives[template->count - 1];

    if (alternative->count == PARTS_MAX) {
        return err_set(err, ST_INVALID,
                       "has more than %d parts in one alternative; remove some", PARTS_MAX);
    }
    if (part.kind == PART_HEADER) {
        part.header = strndup(part.text.data, part.text.len);
        CHECK(part.header != NULL);
    }
    alternative->parts =
        xrealloc(alternative->parts, (alternative->count + 1) * sizeof(alternative->parts[0]));
    alternative->parts[alternative->count++] = part;
    template->leaves_body |= part.kind == PART_HEADER || part.kind == PART_URL;
    return ST_OK;
}

static enum status add_body(struct parser *parser, struct template *template, struct slice path,
                            struct err *err)
{
    struct part part = {.kind = PART_BODY, .text = path};
    enum status st;

    if (memchr(path.data, '|', path.len) && !memchr(path.data, '"', path.len)) {
        return err_set(err, ST_INVALID,
                       "{body.%.*s} has a | inside of the braces; write alternatives as "
                       "{body.a}|{body.b}",
                       SLICE_ARG(path));
    }
    st = parser_add_path(parser, path, &part.path, err);

    return st == ST_OK ? add_part(template, part, err) : st;
}

static enum status add_header(struct template *template, struct slice name, struct err *err)
{
    if (!delivery_is_token(name)) {
        return err_set(err, ST_INVALID,
                       "\"%.*s\" is not a header name; use letters, digits and dashes, such as "
                       "{header.X-Event}",
                       SLICE_ARG(name));
    }
    return add_part(template, (struct part){.kind = PART_HEADER, .text = name}, err);
}

static enum status add_url(const struct parser *parser, struct template *template,
                           struct err *err)
{
    const struct provider *provider = parser->provider;

    if (!provider->takes_suffix && provider->url_events == NULL) {
        return err_set(err, ST_INVALID,
                       "{url} is the part of the URL after the source's path, but this source "
                       "has none; set \"path_suffix\": true, or \"events\"");
    }
    return add_part(template, (struct part){.kind = PART_URL}, err);
}

static enum status unknown_part(struct slice name, struct err *err)
{
    const char *dot = name.len > 0 ? memchr(name.data, '.', name.len) : NULL;
    struct nearest near = {
        .text = {name.data, dot ? (size_t)(dot - name.data) : name.len},
    };

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        nearest_offer(&near, kinds[i].name);
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (near.word == kinds[i].name) {
            return err_set(err, ST_INVALID, "unknown part {%.*s}; did you mean %s?",
                           SLICE_ARG(name), kinds[i].form);
        }
    }
    return err_set(err, ST_INVALID, "unknown part {%.*s}; the parts are %s, %s and %s",
                   SLICE_ARG(name), kinds[0].form, kinds[1].form, kinds[2].form);
}

/* name: the text between the braces. */
static enum status add_named(struct parser *parser, struct template *template,
                             struct slice name, struct err *err)
{
    if (slice_starts_with(name, BODY_PREFIX)) {
        return add_body(parser, template, slice_from(name, BODY_PREFIX.len), err);
    }
    if (slice_starts_with(name, HEADER_PREFIX)) {
        return add_header(template, slice_from(name, HEADER_PREFIX.len), err);
    }
    if (slice_equal(name, SLICE("url"))) {
        return add_url(parser, template, err);
    }
    return unknown_part(name, err);
}

static enum status check_text(struct slice text, struct err *err)
{
    if (text.len == 0) {
        return err_set(err, ST_INVALID,
                       "is empty; write where the field is, such as {body.type}, or | if there "
                       "is none");
    }
    if (text.len > PARSE_MAX_FIELD) {
        return err_set(err, ST_INVALID, "is longer than %d bytes; make it shorter",
                       PARSE_MAX_FIELD);
    }
    if (!utf8_is_fit(text)) {
        return err_set(err, ST_INVALID,
                       "contains a control character or is not UTF-8; remove it");
    }
    return ST_OK;
}

static bool drop_prefix(struct slice *text, struct slice prefix)
{
    if (!slice_starts_with(*text, prefix)) {
        return false;
    }
    *text = slice_from(*text, prefix.len);
    return true;
}

static bool begins_a_name(struct slice text)
{
    char c = '\0';

    if (text.len > 0) {
        c = text.data[0];
    }
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Text that other programs read as a path (body.type, $.order.id, .id) would here be the same
 * constant for all events, which nobody wants. v1.order.created or shop.example may well be
 * constants. */
static enum status check_constant(struct slice text, struct err *err)
{
    struct slice path = text;
    bool rooted = drop_prefix(&path, SLICE("$.")) || drop_prefix(&path, SLICE("."));
    bool is_header = drop_prefix(&path, HEADER_PREFIX) || drop_prefix(&path, SLICE("headers."));
    bool is_path = is_header || drop_prefix(&path, BODY_PREFIX) || rooted;
    struct buf compiled = {0};
    enum status st = ST_OK;

    if (!is_path || !begins_a_name(path)) {
        return ST_OK;
    }
    if (!is_header) {
        st = json_compile_path(path, &compiled, err);
        buf_free(&compiled);
    }
    if (st != ST_OK) {
        return st;
    }
    return err_set(
        err, ST_INVALID,
        "\"%.*s\" without braces is constant text, the same in every delivery; write "
        "{%s.%.*s}",
        SLICE_ARG(text), is_header ? "header" : "body", SLICE_ARG(path));
}

/* At the `|` or the end of the text behind the alternative. */
static enum status end_alternative(struct template *template, bool last, struct err *err)
{
    const struct alternative *ended = &template->alternatives[template->count - 1];

    if (ended->count == 1 && ended->parts[0].kind == PART_TEXT) {
        return check_constant(ended->parts[0].text, err);
    }
    if (ended->count > 0) {
        return ST_OK;
    }
    if (!last || template->count == 1) {
        return err_set(err, ST_INVALID,
                       "has an empty alternative that is not the last; an empty last one makes "
                       "the field optional; remove a |");
    }
    template->count--;
    template->may_be_missing = true;
    return ST_OK;
}

/* At a brace; moves *at behind the closing one. */
static enum status compile_brace(struct parser *parser, const char **at,
                                 struct template *template, struct err *err)
{
    const char *start = *at + 1;
    const char *close = parse_brace_end(*at);

    if (**at == '}') {
        return err_set(err, ST_INVALID, "contains a } without its {; write {body.type}");
    }
    if (close == NULL) {
        return err_set(err, ST_INVALID, "contains a { without its }; write {body.type}");
    }
    *at = close + 1;
    return add_named(parser, template, (struct slice){start, (size_t)(close - start)}, err);
}

enum status template_compile(struct parser *parser, const char *text, struct template *out,
                             struct err *err)
{
    enum status st = check_text(slice_of(text), err);

    if (st == ST_OK && strcmp(text, "|") == 0) {
        out->may_be_missing = true; /* no alternatives: it always is */
        return ST_OK;
    }
    add_alternative(out);
    while (st == ST_OK && *text != '\0') {
        size_t len = strcspn(text, "{}|");

        if (len > 0) {
            struct part part = {.kind = PART_TEXT, .text = {text, len}};

            st = add_part(out, part, err);
            text += len;
        } else if (*text == '|') {
            st = end_alternative(out, false, err);
            add_alternative(out);
            text++;
        } else {
            st = compile_brace(parser, &text, out, err);
        }
    }
    return st == ST_OK ? end_alternative(out, true, err) : st;
}

void template_fini(struct template *template)
{
    for (size_t i = 0; i < template->count; i++) {
        struct alternative *alternative = &template->alternatives[i];

        for (size_t j = 0; j < alternative->count; j++) {
            free(alternative->parts[j].header);
        }
        free(alternative->parts);
    }
    free(template->alternatives);
}
