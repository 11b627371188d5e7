/*
 * Looks up a header of a delivery, and knows the grammar of header names. A header that is missing
 * or appears more than once has no value. Nothing can fail.
 */
#include "bridge/delivery.h"

#include <string.h>

struct slice delivery_header(const struct delivery *delivery, const char *name)
{
    struct slice value = SLICE_NONE;

    if (delivery->header == NULL || delivery->header(delivery->ctx, name, &value, 1) != 1) {
        return SLICE_NONE;
    }
    return value.data ? value : SLICE("");
}

bool delivery_is_token(struct slice name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            memchr(marks, c, sizeof(marks) - 1) == NULL) {
            return false;
        }
    }
    return name.len > 0;
}
