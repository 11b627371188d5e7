/*
 * Takes an answer from the handler's thread to the loop, and from there to the library.
 *
 * If the handler answers before it returns, on the loop thread, the answer stays with the
 * request: the loop queues it next, and the connection is never suspended. Every other answer
 * goes through the inbox (handoff B: from intake/ingress.c on_stored to server.c take_answers),
 * which the loop empties between two runs of the library. So it cannot overtake the suspension,
 * which follows the handler's return, and only the loop touches the connection.
 *
 * If the server has stopped meanwhile, the answer goes nowhere and its memory is freed. If
 * there is no memory for the library's response, the connection is cut.
 */
#include "bridge/http/internal.h"

#include <stdio.h>

#include <microhttpd.h>

const struct http_fault http_too_large = {REJECT_TOO_LARGE, "the body is too large"};
const struct http_fault http_no_room = {REJECT_UNAVAILABLE,
                                        "too many bodies at once, try again later"};

static void keep_answer(struct http_request *request, const struct http_answer *answer)
{
    request->answer = *answer;
    request->answer.body = SLICE_NONE;
    buf_clear(&request->answer_body);
    buf_add_slice(&request->answer_body, answer->body);
}

void http_answer(struct http_request *request, const struct http_answer *answer)
{
    struct http_server *server = request->server;
    bool was_empty;

    CHECK(!request->answered);
    request->answered = true;
    keep_answer(request, answer);
    if (pthread_equal(pthread_self(), server->loop_thread) && server->current == request) {
        server->current = NULL;
        return;
    }
    if (!inbox_put(&server->answers, &request->link, &was_empty)) {
        /* The server stopped without waiting for us: the connection is gone. */
        http_request_release(request);
    } else if (was_empty) {
        http_wake(server);
    }
    /* Last: once the answer is put, http_stop may return, and only this reference keeps the
     * server alive. */
    http_server_release(server);
}

struct http_answer http_error(enum reject reason, const char *message,
                              char text[HTTP_ERROR_SIZE])
{
    unsigned status = reject_status(reason);
    int len = snprintf(text, HTTP_ERROR_SIZE, "{\"error\":\"%s\",\"message\":\"%s\"}",
                       reject_code(reason), message);

    CHECK(len > 0 && len < HTTP_ERROR_SIZE);
    return (struct http_answer){
        .status = status,
        .body = {text, (size_t)len},
        .retry_after_s = status == 503 ? 1 : 0,
    };
}

bool http_allows_read(struct http_request *request)
{
    static const char message[] = "only GET and HEAD are allowed here";
    struct slice method = http_method(request);
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer;

    if (slice_equal(method, SLICE("GET")) || slice_equal(method, SLICE("HEAD"))) {
        return true;
    }
    http_report_refusal(request, REJECT_METHOD, message);
    answer = http_error(REJECT_METHOD, message, text);
    answer.allow = "GET, HEAD";
    http_answer(request, &answer);
    return false;
}

static bool add_field(struct MHD_Response *response, const char *name, const char *value)
{
    return value == NULL || MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_fields(struct MHD_Response *response, const struct http_answer *answer,
                       bool last)
{
    const char *type = answer->content_type != NULL ? answer->content_type : "application/json";
    char seconds[16] = "";

    if (answer->retry_after_s > 0) {
        (void)snprintf(seconds, sizeof(seconds), "%u", answer->retry_after_s);
    }
    return add_field(response, "Content-Type", type) &&
           add_field(response, "Retry-After", answer->retry_after_s > 0 ? seconds : NULL) &&
           add_field(response, "Allow", answer->allow) &&
           add_field(response, "WWW-Authenticate", answer->challenge) &&
           add_field(response, "Accept-Encoding", answer->encoding) &&
           add_field(response, "Connection", last ? "close" : NULL);
}

bool http_request_queue(struct http_request *request)
{
    struct http_connection *connection = request->connection;
    bool last = request->answer.close || atomic_load(&request->server->quiesced);
    /* Not copied: the text belongs to the request, which outlives the response. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        request->answer_body.len, request->answer_body.data, MHD_RESPMEM_PERSISTENT);
    bool queued = false;

    http_request_drop_body(request);
    if (response == NULL) {
        return false;
    }
    if (add_fields(response, &request->answer, last)) {
        http_connection_enter(connection, PHASE_SENDING);
        queued =
            MHD_queue_response(connection->mhd, request->answer.status, response) == MHD_YES;
    }
    MHD_destroy_response(response);
    return queued;
}

void http_request_send(struct http_request *request)
{
    struct http_connection *connection = request->connection;

    if (!http_request_queue(request)) {
        http_connection_cut(connection); /* no memory for the response */
    }
    MHD_resume_connection(connection->mhd);
    http_request_release(request); /* the handler's reference; the loop keeps its own */
}
