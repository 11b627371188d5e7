/*
 * /healthz is 200 whenever the loop thread can answer. /readyz is 200 if the outbox would take an
 * event, else 503 with the outbox's reason. Nothing here can fail.
 */
#include "bridge/health.h"

#include "common/json.h"

static void answer_alive(struct http_request *request)
{
    http_answer(request,
                &(struct http_answer){.status = 200, .body = SLICE("{\"status\":\"ok\"}")});
}

static void answer_ready(struct http_request *request, enum status ready)
{
    struct buf text = {0};

    if (ready == ST_OK) {
        answer_alive(request);
        return;
    }
    buf_add_str(&text, "{\"status\":\"unavailable\",\"reason\":");
    json_add_string(&text, slice_of(status_text(ready)));
    buf_add_char(&text, '}');
    http_answer(request, &(struct http_answer){
                             .status = 503, .body = buf_slice(&text), .retry_after_s = 1});
    buf_free(&text);
}

bool health_answer(struct http_request *request, const struct outbox *outbox)
{
    struct slice path = http_path(request);
    bool alive = slice_equal(path, SLICE("/healthz"));

    if (!alive && !slice_equal(path, SLICE("/readyz"))) {
        return false;
    }
    if (http_allows_read(request)) {
        answer_ready(request, alive ? ST_OK : outbox_ready(outbox));
    }
    return true;
}
