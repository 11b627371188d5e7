/*
 * parse/internal - a provider's field templates, compiled. Calls go down this list only:
 *
 *   create.c    compiles a provider's templates into a parser; decides which fields to trust
 *   template.c  the language of field templates
 *   read.c      a delivery to fields, in one pass over the body
 *   route.c     fields to topic
 *   text.c      JSON values as text, and the memory of texts that had to be made; variables in braces
 */
#ifndef BRIDGE_PARSE_INTERNAL_H
#define BRIDGE_PARSE_INTERNAL_H

#include "common/json.h"

#include "bridge/parse/parse.h"

enum { PARTS_MAX = 16 }; /* of an alternative; bounded so that read.c needs no memory */

enum part_kind { PART_TEXT, PART_BODY, PART_HEADER, PART_URL };

struct part {
    enum part_kind kind;
    struct slice text; /* the text or the path of the body; borrowed from the template */
    size_t path;       /* PART_BODY: its index in parser->paths */
    char *header;      /* PART_HEADER: its name */
};

/* One or more parts, joined. */
struct alternative {
    struct part *parts;
    size_t count;
};

struct template
{
    struct alternative *alternatives;
    size_t count; /* 0: the provider has no such field */
    bool may_be_missing;
    bool leaves_body; /* at least one part is a header or the URL */
};

struct parser {
    const struct provider *provider;
    struct template fields[PARSE_FIELDS];
    /* All paths that are looked up in a body, in one pass; compiled. */
    struct slice paths[JSON_MAX_PATHS];
    struct buf path_texts[JSON_MAX_PATHS]; /* what these borrow from */
    size_t path_count;
    /* Indexes in paths, if the provider has challenges. */
    size_t challenge_field, challenge_echo;
};

/* Its name in the configuration. */
const char *parse_field_name(enum parse_field field);

/* Compiles text, one of the provider's templates, and adds its paths to the parser. Borrows text.
 * ST_INVALID with the reason. Call template_fini in either case. */
enum status template_compile(struct parser *parser, const char *text, struct template *out,
                             struct err *err) MUST_USE;
void template_fini(struct template *template);

/* Adds a path of the body to the parser's, unless it is there already; *out_index is its index.
 * ST_INVALID with the reason: not a path, or too many. */
enum status parser_add_path(struct parser *parser, struct slice path, size_t *out_index,
                            struct err *err) MUST_USE;

/* At a variable's opening brace: its closing one, which is none in quotes. NULL: it has none. */
const char *parse_brace_end(const char *open);

/* A scalar as text; absent if the value is not a scalar. May add to parsed->made. */
struct slice parse_scalar(struct parsed *parsed, struct json_value value);
/* Joins the texts and adds the result to parsed->made. A result longer than PARSE_MAX_FIELD is cut
 * just above that: it is refused anyway. */
struct slice parse_join(struct parsed *parsed, const struct slice *texts, size_t count);

#endif
