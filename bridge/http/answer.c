/*
 * An answer, from whoever gives it to the library.
 *
 * One that comes while the handler still runs on the loop thread stays with the request: the
 * loop queues it when the handler returns, and the connection is never suspended. Every other
 * one goes through the inbox, which the loop empties between two runs of the library; so it
 * cannot overtake the suspending, which is done after the handler has returned, and nobody but
 * the loop touches the connection.
 */
#include "bridge/http/internal.h"

#include <stdio.h>

#include <microhttpd.h>

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
        /* Stopped without waiting for us: the connection is gone. */
        http_request_release(request);
    } else if (was_empty) {
        http_wake(server);
    }
    /* Not before: the put may have been what http_stop waited for. */
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
    struct slice method = http_method(request);
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer;

    if (slice_equal(method, SLICE("GET")) || slice_equal(method, SLICE("HEAD"))) {
        return true;
    }
    answer = http_error(REJECT_METHOD, "this can only be read", text);
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
           add_field(response, "Connection", last ? "close" : NULL);
}

bool http_request_queue(struct http_request *request)
{
    struct http_connection *connection = request->connection;
    bool last = request->answer.close || atomic_load(&request->server->quiesced);
    /* The text stays with the request, which is there until the library is done (on_completed).
     */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        request->answer_body.len, request->answer_body.data, MHD_RESPMEM_PERSISTENT);
    bool queued = false;

    if (response == NULL) {
        return false;
    }
    if (add_fields(response, &request->answer, last)) {
        connection->linger = last || !request->whole;
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
        http_connection_cut(connection); /* no memory for an answer */
    }
    MHD_resume_connection(connection->mhd);
    http_request_release(request); /* the handler's share; the loop's is left */
}
