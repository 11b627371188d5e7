/*
 * parse_internal - a provider's field templates, compiled. Only for parse*.c.
 */
#ifndef BRIDGE_PARSE_INTERNAL_H
#define BRIDGE_PARSE_INTERNAL_H

#include "common/json.h"

#include "bridge/parse/parse.h"

/* So that a field can be put together without memory for its parts. */
enum { PARTS_MAX = 16 };

enum part_kind { PART_TEXT, PART_BODY, PART_HEADER, PART_URL };

struct part {
    enum part_kind kind;
    struct slice
        text;     /* borrowed from the template: what PART_TEXT says, or PART_BODY's path */
    size_t path;  /* PART_BODY: its place in parser->paths */
    char *header; /* PART_HEADER: its name */
};

/* One or more parts. */
struct alternative {
    struct part *parts;
    size_t count;
};

struct template
{
    struct alternative *alternatives;
    size_t count; /* 0: there is no such field */
    bool may_be_missing;
    bool leaves_body; /* some part is a header or the URL */
};

struct parser {
    const struct provider *provider;
    struct template fields[PARSE_FIELDS];
    /* All that is looked for in a body, in one pass. */
    struct slice paths[JSON_MAX_PATHS];
    size_t path_count;
    /* Places in paths, if the provider has challenges. */
    size_t challenge_field, challenge_echo;
};

/* As the configuration calls it. */
const char *parse_field_name(enum parse_field field);

/* Adds what text, one of provider's templates, says to the parser. ST_INVALID with the reason;
 * what is in *out then is for template_fini. */
enum status template_compile(struct parser *parser, const char *text, struct template *out,
                             struct err *err) MUST_USE;
void template_fini(struct template *template);

/* The place of a body's path among the parser's, once it is clear that it is a path. */
enum status parser_add_path(struct parser *parser, struct slice path, size_t *out_place,
                            struct err *err) MUST_USE;

/* A scalar as text, absent if it is none; may add to parsed->made. */
struct slice parse_scalar(struct parsed *parsed, struct json_value value);
/* A string's value. */
struct slice parse_string(struct parsed *parsed, struct json_value string);
/* Adds the texts, one behind the other, to parsed->made. What is longer than PARSE_MAX_FIELD
 * is cut just above it: it is refused anyway. */
struct slice parse_join(struct parsed *parsed, const struct slice *texts, size_t count);

#endif
