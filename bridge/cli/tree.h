/*
 * tree - JSON as json-c's trees: what the bridge or an API answers, what commands store and
 * print. As strict as json_check.
 */
#ifndef BRIDGE_CLI_TREE_H
#define BRIDGE_CLI_TREE_H

#include "common/buf.h"

struct json_object;

/* NULL: the text is `null`, or not JSON (*out_is_json, which may be NULL). A whole number that does
 * not fit into 64 bits makes it not JSON. Gives a tree for tree_wipe. */
struct json_object *tree_parse(struct slice text, bool *out_is_json);
/* Frees a tree that nobody else refers to, and overwrites the strings in it. */
void tree_wipe(struct json_object *tree);

/* A copy that shares nothing with the tree; NULL gives NULL. */
struct json_object *tree_copy(struct json_object *tree);

/* The value at a JSON pointer such as /error/code; NULL: missing, or null. Borrowed. */
struct json_object *tree_at(struct json_object *tree, const char *pointer);
/* The text of a string, number or boolean there; NULL: anything else, or it contains a NUL.
 * Borrowed. */
const char *tree_text(struct json_object *tree, const char *pointer);
/* It has exactly this text there. */
bool tree_is(struct json_object *tree, const char *pointer, const char *text);
/* Adds the line, in which {name} stands for a member of the object, safe for a terminal, or for a
 * dash. */
void tree_add_line(struct buf *out, struct json_object *object, const char *line);
/* As JSON on one line. Borrowed until the tree changes. */
const char *tree_print(struct json_object *tree);

/* An object: TREE({"name", tree_string("text")}, …). Takes the values. */
struct tree_member {
    const char *name; /* NULL: the end */
    struct json_object *value;
};
#define TREE(...) tree_object((const struct tree_member[]){__VA_ARGS__, {NULL, NULL}})
struct json_object *tree_object(const struct tree_member *members);
/* The same with texts: TEXTS({"name", text}, …). A text of NULL is left out. */
struct tree_text {
    const char *name; /* NULL: the end */
    const char *text;
};
#define TEXTS(...) tree_texts((const struct tree_text[]){__VA_ARGS__, {NULL, NULL}})
struct json_object *tree_texts(const struct tree_text *members);
/* Adds to an object these members of another one, TREE_PICK(object, from, "id", …); null where they
 * are missing. Gives the object. */
#define TREE_PICK(object, from, ...)                                                           \
    tree_pick(object, from, (const char *const[]){__VA_ARGS__, NULL})
struct json_object *tree_pick(struct json_object *object, struct json_object *from,
                              const char *const *names);
/* A string; and JSON that is printed as it is spelled. NULL gives NULL, which is `null`. */
struct json_object *tree_string(const char *text);
struct json_object *tree_raw(const char *json);

/* The items of an array, one by one, as the text spells them: rest is an array that tree_parse
 * has read. False after the last. */
bool tree_next_item(struct slice *rest, struct slice *out_item) MUST_USE;

#endif
