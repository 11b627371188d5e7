/*
 * list: all pages of it.
 */
#include "bridge/cli/provider/ricloud.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

#include "bridge/cli/provider/json.h"

enum { PAGE_SIZE = 100, MAX_PAGES = 1000 };

struct list {
    struct registration reg;
    const char *state;
    int64_t created_ms;
    char *last_id; /* of the page before; NULL: there is none yet */
};

static void make_query(const struct list *list, struct buf *out)
{
    buf_addf(out, "?limit=%d", PAGE_SIZE);
    if (list->state) {
        buf_add_str(out, "&state=");
        cli_api_add_escaped(out, list->state);
    }
    if (list->created_ms != CLOCK_NONE) {
        char text[CLOCK_TEXT_SIZE];
        char *fraction;

        clock_format(list->created_ms, text);
        fraction = strstr(text, ".000Z");
        if (fraction) {
            memcpy(fraction, "Z", 2); /* as the API's own examples are */
        }
        buf_add_str(out, "&date_created=");
        cli_api_add_escaped(out, text);
    }
    if (list->last_id) {
        buf_add_str(out, "&after_id=");
        cli_api_add_escaped(out, list->last_id);
    }
}

/* Prints the items of a page and notes the last one's id. Returns how many were new: whether
 * the page begins with after_id or behind it is not said anywhere. */
static size_t print_page(struct list *list, const struct cli_api_reply *page)
{
    struct slice items = json_find(page->json, SLICE("data")).raw;
    struct slice shown_items = json_find(page->shown, SLICE("data")).raw;
    struct slice item, shown;
    size_t count = 0;
    char *before = list->last_id;

    while (cli_json_next(&items, &item) && cli_json_next(&shown_items, &shown)) {
        char *id = cli_json_text(item, "id");

        if (id && before && strcmp(id, before) == 0) {
            free(id);
            continue;
        }
        ricloud_print(&list->reg, shown);
        count++;
        if (id) {
            if (list->last_id != before) {
                free(list->last_id);
            }
            list->last_id = id;
        }
    }
    if (list->last_id != before) {
        free(before);
    }
    return count;
}

/* *out_more: there is a page after this one. */
static enum status list_page(struct list *list, bool *out_more, struct err *err)
{
    struct buf query = {0};
    struct ricloud_request request = {.method = "GET"};
    struct cli_api_reply reply = {0};
    enum status st;

    *out_more = false;
    make_query(list, &query);
    request.tail = query.data;
    st = ricloud_call(&list->reg, &request, &reply, err);
    buf_free(&query);
    if (st != ST_OK || list->reg.dry_run) {
        return st;
    }
    if (json_find(reply.json, SLICE("data")).kind != JSON_ARRAY) {
        return cli_api_reject(list->reg.api, ST_INVALID, "is no list", err);
    }
    *out_more = print_page(list, &reply) > 0 &&
                slice_equal(json_find(reply.json, SLICE("has_more")).raw, SLICE("true"));
    return ST_OK;
}

static int list_all(struct list *list)
{
    struct err err = {0};
    enum status st = ST_OK;
    bool more = true;

    for (int page = 0; st == ST_OK && more; page++) {
        if (page == MAX_PAGES) {
            return cli_fail("the API's list does not end after %d pages", MAX_PAGES);
        }
        st = list_page(list, &more, &err);
    }
    return st == ST_OK ? EXIT_DONE : cli_fail("%s", err.text);
}

int ricloud_list(struct cli *cli)
{
    struct list list = {.created_ms = CLOCK_NONE};
    const struct cli_option options[] = {
        {"--state", CLI_TEXT, &list.state},
        {"--date-created", CLI_WHEN, &list.created_ms},
        REGISTRATION_OPTIONS(&list.reg),
    };
    int status;

    if (!cli_arguments(cli, options, 0, 0)) {
        return EXIT_USAGE;
    }
    status = ricloud_begin(&list.reg, cli);
    status = status == EXIT_DONE ? list_all(&list) : status;
    free(list.last_id);
    registration_end(&list.reg);
    return status;
}
