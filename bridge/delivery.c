#include "bridge/delivery.h"

struct slice delivery_header(const struct delivery *delivery, const char *name)
{
    struct slice value = SLICE_NONE;

    if (delivery->header == NULL || delivery->header(delivery->ctx, name, &value) != 1) {
        return SLICE_NONE;
    }
    return value.data ? value : SLICE("");
}
