/*
 * Makes a parser from a provider's description. It compiles the template of each field
 * (template.c), checks the deletion event and the challenge, and lists every path into the body
 * once, so that one pass over a body finds all fields. It stops at the first fault, and returns
 * the faulty key and a reason that shows the correct form.
 *
 * Also decides which fields to trust: those whose parts are all covered by the signature.
 */
#include "bridge/parse/internal.h"

#include <stdlib.h>
#include <string.h>

const char *parse_field_name(enum parse_field field)
{
    static const char *const names[PARSE_FIELDS] = {
        [PARSE_EVENT] = "event",     [PARSE_TYPE] = "resource_type",
        [PARSE_GID] = "gid",         [PARSE_DELIVERY_ID] = "delivery_id",
        [PARSE_TIME] = "event_time",
    };

    return names[field];
}

static bool is_constant(const struct alternative *alternative)
{
    size_t i = 0;

    while (i < alternative->count && alternative->parts[i].kind == PART_TEXT) {
        i++;
    }
    return i == alternative->count;
}

/* A constant delivery id would make duplicates of different deliveries; a constant is no time. */
static enum status refuse_constants(const struct template *template, const char *example,
                                    struct err *err)
{
    for (size_t i = 0; i < template->count; i++) {
        if (is_constant(&template->alternatives[i])) {
            return err_set(err, ST_INVALID,
                           "would be the same in different deliveries; write where it is, such "
                           "as %s",
                           example);
        }
    }
    return ST_OK;
}

static enum status compile_field(struct parser *parser, enum parse_field field,
                                 const char *text, struct err *err)
{
    struct template *template = &parser->fields[field];
    enum status st = template_compile(parser, text, template, err);

    if (st == ST_OK && field == PARSE_DELIVERY_ID) {
        st = refuse_constants(template, "{body.id}", err);
    } else if (st == ST_OK && field == PARSE_TIME) {
        st = refuse_constants(template, "{body.created_at}", err);
    }
    return st;
}

static enum status compile_fields(struct parser *parser, const char **out_key, struct err *err)
{
    const struct provider_fields *fields = &parser->provider->fields;
    const char *const texts[PARSE_FIELDS] = {
        [PARSE_EVENT] = fields->event,     [PARSE_TYPE] = fields->resource_type,
        [PARSE_GID] = fields->gid,         [PARSE_DELIVERY_ID] = fields->delivery_id,
        [PARSE_TIME] = fields->event_time,
    };

    for (enum parse_field field = 0; field < PARSE_FIELDS; field++) {
        enum status st = ST_OK;

        *out_key = parse_field_name(field);
        if (texts[field]) {
            st = compile_field(parser, field, texts[field], err);
        }
        if (st != ST_OK) {
            return st;
        }
    }
    parser->fields[PARSE_DELIVERY_ID].may_be_missing = true;
    parser->fields[PARSE_TIME].may_be_missing = true;

    *out_key = parse_field_name(PARSE_EVENT);
    if (fields->event == NULL) {
        return err_set(err, ST_INVALID, "is missing; write where it is, such as {body.type}");
    }
    if (parser->fields[PARSE_EVENT].may_be_missing) {
        return err_set(err, ST_INVALID,
                       "must not be optional; write where it is, such as {body.type}, without "
                       "a | at the end");
    }
    return ST_OK;
}

static enum status check_deletion_event(const char *text, const char **out_key, struct err *err)
{
    *out_key = "deletion_event";
    if (text == NULL) {
        return ST_OK;
    }
    if (text[0] == '\0' || strcmp(text, "*") == 0) {
        return err_set(err, ST_INVALID,
                       "names no event; write one, such as resource.deleted, or *.deleted for "
                       "all events with that ending");
    }
    if (strchr(text + 1, '*')) {
        return err_set(err, ST_INVALID,
                       "has a * that is not its first character; write *.deleted for all "
                       "events with that ending");
    }
    return ST_OK;
}

/* A path without the {body.…} of a template around it. */
static enum status add_bare_path(struct parser *parser, const char *path, size_t *out_index,
                                 struct err *err)
{
    if (strpbrk(path, "{}")) {
        return err_set(err, ST_INVALID,
                       "must be a path in the body, without braces, such as data.id");
    }
    return parser_add_path(parser, slice_of(path), out_index, err);
}

static enum status add_challenge(struct parser *parser, const char **out_key, struct err *err)
{
    const struct provider_challenge *challenge = &parser->provider->challenge;
    enum status st;

    if (challenge->field == NULL && challenge->value == NULL && challenge->echo == NULL) {
        return ST_OK;
    }
    *out_key = challenge->field == NULL   ? "challenge.field"
               : challenge->value == NULL ? "challenge.value"
                                          : "challenge.echo";
    if (challenge->field == NULL || challenge->value == NULL || challenge->echo == NULL) {
        return err_set(
            err, ST_INVALID,
            "is missing; a challenge needs a field, the value that identifies it, and "
            "the field to echo");
    }
    *out_key = "challenge.field";
    st = add_bare_path(parser, challenge->field, &parser->challenge_field, err);
    if (st == ST_OK) {
        *out_key = "challenge.echo";
        st = add_bare_path(parser, challenge->echo, &parser->challenge_echo, err);
    }
    return st;
}

enum status parser_create(const struct provider *provider, struct parser **out_parser,
                          const char **out_key, struct err *err)
{
    struct parser *parser = xalloc(sizeof(*parser));
    const char *key = NULL;
    enum status st;

    parser->provider = provider;
    st = compile_fields(parser, &key, err);
    if (st == ST_OK) {
        st = check_deletion_event(provider->fields.deletion_event, &key, err);
    }
    if (st == ST_OK) {
        st = add_challenge(parser, &key, err);
    }
    if (st != ST_OK) {
        *out_key = key;
        parser_destroy(parser);
        return st;
    }
    *out_parser = parser;
    return ST_OK;
}

void parser_destroy(struct parser *parser)
{
    if (parser) {
        for (size_t i = 0; i < PARSE_FIELDS; i++) {
            template_fini(&parser->fields[i]);
        }
        for (size_t i = 0; i < parser->path_count; i++) {
            buf_free(&parser->path_texts[i]);
        }
        free(parser);
    }
}

/* True if the header is part of the signed message. */
static bool is_signed(const struct provider_signature *signature, const char *header)
{
    struct slice name = slice_of(header);
    const char *message = signature->message ? signature->message : "";

    return (slice_equal_nocase(name, slice_of(signature->id_header)) &&
            strstr(message, "{id}")) ||
           (slice_equal_nocase(name, slice_of(signature->timestamp_header)) &&
            strstr(message, "{timestamp}"));
}

static bool all_signed(const struct alternative *alternative,
                       const struct provider_signature *signature)
{
    for (size_t i = 0; i < alternative->count; i++) {
        const struct part *part = &alternative->parts[i];

        if (part->kind == PART_URL ||
            (part->kind == PART_HEADER && !is_signed(signature, part->header))) {
            return false;
        }
    }
    return true;
}

bool parser_trusts(const struct parser *parser, enum parse_field field)
{
    return parser->provider->signature.scheme != SCHEME_HMAC || parser_covers(parser, field);
}

bool parser_covers(const struct parser *parser, enum parse_field field)
{
    bool derived = field == PARSE_TYPE && !parser->provider->fields.resource_type;
    const struct template *template = &parser->fields[derived ? PARSE_EVENT : field];

    for (size_t i = 0; i < template->count; i++) {
        if (!all_signed(&template->alternatives[i], &parser->provider->signature)) {
            return false;
        }
    }
    return true;
}
