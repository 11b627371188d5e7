/*
 * cli_json - reads values out of JSON texts that json_check has accepted: what an API answers,
 * and what is stored. Values stay as they are spelled (ids may be numbers of any length). Pure.
 */
#ifndef BRIDGE_CLI_PROVIDER_JSON_H
#define BRIDGE_CLI_PROVIDER_JSON_H

#include "common/buf.h"

/* The text of a string, number or boolean at a dotted path; NULL: there is none, or it holds
 * a NUL. Gives memory for free(). */
char *cli_json_text(struct slice json, const char *path) MUST_USE;

/* Adds what a string, with its quotes, stands for; it may hold a NUL. */
void cli_json_add_decoded(struct buf *out, struct slice string);
/* Behind the string whose opening quote is at p. */
const char *cli_json_skip_string(const char *p, const char *end);
/* Behind the value that begins at p, whatever is in it. */
const char *cli_json_skip_value(const char *p, const char *end);

/* Adds the same text as cli_json_text, safe for a terminal, or `missing`. */
void cli_json_add_text(struct buf *out, struct slice json, const char *path,
                       const char *missing);

/* Adds `"name":<the value as it is spelled>`, or null if there is none. */
void cli_json_add_member(struct buf *out, const char *name, struct slice json,
                         const char *path);

/* Adds `"name":"text"`, or null if text is NULL. */
void cli_json_add_string(struct buf *out, const char *name, const char *text);

/* The items of an array, one by one: rest is the array's raw text to begin with (absent:
 * there are none). False after the last. */
bool cli_json_next(struct slice *rest, struct slice *out_item);

#endif
