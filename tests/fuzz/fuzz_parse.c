/*
 * A body is either an event with identifiers that can be used, or refused with a reason that
 * can be shown.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/utf8.h"

#include "bridge/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_identifier(struct slice text)
{
    CHECK(text.data != NULL && text.len <= PARSE_MAX_FIELD);
    CHECK(utf8_valid(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = {(const char *)data, size};
    struct parsed parsed;
    enum status st = parse_body(&provider_creads, body, &parsed);

    if (st == ST_OK) {
        check_identifier(parsed.event);
        check_identifier(parsed.resource_type);
        check_identifier(parsed.gid);
        CHECK(parsed.reason[0] == '\0');
        CHECK(parsed.deletion == slice_equal(parsed.event, SLICE("resource.deleted")));
        CHECK(utf8_valid(parse_body_text(&parsed, body, SLICE("resource.gid"))));
        CHECK(slice_equal(parse_body_text(&parsed, body, SLICE("resource_gid")), parsed.gid));
    } else {
        struct slice reason = slice_of(parsed.reason);

        CHECK(st == ST_INVALID || st == ST_MISSING);
        CHECK(reason.len > 0 && utf8_valid(reason));
    }
    parsed_fini(&parsed);
    return 0;
}
