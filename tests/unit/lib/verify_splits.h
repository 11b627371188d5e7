/*
 * verify_splits - all ways to take a signed message apart, by the template that it was made
 * with; for tests that no second one of them is good for anything.
 */
#ifndef TESTS_UNIT_LIB_VERIFY_SPLITS_H
#define TESTS_UNIT_LIB_VERIFY_SPLITS_H

#include <string.h>

#include "common/buf.h"

struct split {
    struct slice timestamp, id, body;
};
typedef void split_fn(void *ctx, const struct split *split);

enum { SPLIT_MAX_TIMESTAMP = 40, SPLIT_MAX_ID = 300 }; /* more than any that passes */

/* Calls tell for every split that gives the message's bytes again. The template is a sound one:
 * its variables are {timestamp}, {id} and {body}. split: what is taken off already. */
static inline void each_split(const char *template, struct slice message, struct split split,
                              split_fn *tell, void *ctx)
{
    size_t text = strcspn(template, "{"), least = 0, most;
    struct slice *part;
    const char *behind;

    if (message.len < text || memcmp(message.data, template, text) != 0) {
        return;
    }
    message = (struct slice){message.data + text, message.len - text};
    template += text;
    if (*template == '\0') {
        if (message.len == 0) {
            tell(ctx, &split);
        }
        return;
    }
    part = template[1] == 't' ? &split.timestamp : template[1] == 'i' ? &split.id : &split.body;
    most = template[1] == 't'   ? SPLIT_MAX_TIMESTAMP
           : template[1] == 'i' ? SPLIT_MAX_ID
                                : SIZE_MAX;
    most = most < message.len ? most : message.len;
    behind = strchr(template, '}') + 1;
    if (!strchr(behind, '{') && message.len >= strlen(behind)) {
        least = message.len - strlen(behind); /* the last variable takes all but the text */
    }
    for (size_t len = least; len <= most; len++) {
        struct slice rest = {message.data + len, message.len - len};

        *part = (struct slice){message.data, len};
        each_split(behind, rest, split, tell, ctx);
    }
}

#endif
