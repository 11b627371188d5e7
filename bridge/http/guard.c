/*
 * Stands between a socket and the library. A connection's bytes are read here, up to the end of a
 * head, and the head is judged (head.c). A good one becomes a request, and the library is told;
 * then it reads, and gets a head that we wrote and the bytes of this one body. It gets nothing
 * behind the body until the answer is sent, so it never sees where one request ends and the next
 * begins.
 *
 * A bad head or a broken chunk is answered here, and ends the connection; the library, if it has
 * the connection at all, sees it end. Until a head is complete a connection costs no more than
 * its own struct and the bytes that have come. If the peer goes away meanwhile, its place is
 * free at once.
 */
#include "bridge/http/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <microhttpd.h>

static const struct http_fault broken_chunk = {REJECT_BAD_REQUEST, "a chunk is malformed"};

/* ---- the socket ---- */

/* As recv(2). Knows from what comes whether there may be more, to save the call that says no. */
static ssize_t receive(struct http_connection *connection, char *data, size_t room)
{
    bool more = false;
    ssize_t len = http_transport_receive(connection, data, room, &more);

    if (len > 0) {
        /* epoll tells of what comes now; but it has told of the end already */
        connection->readable = more || connection->closing;
    } else if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        connection->readable = errno == EINTR;
    } else {
        connection->readable = false;
        connection->finished = true;
    }
    return len;
}

/* ---- a refusal ---- */

static void add_date(struct buf *out)
{
    time_t now = time(NULL);
    struct tm parts;

    (void)gmtime_r(&now, &parts);
    buf_reserve(out, 64);
    out->len +=
        strftime(out->data + out->len, 64, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
}

/* Sent at once: nothing else waits to be sent here, and a peer that leaves no room for a few hundred
 * bytes has not read the answers before. */
static void send_refusal(struct http_connection *connection, struct http_fault fault)
{
    bool is_head = slice_starts_with(buf_slice(&connection->in), SLICE("HEAD "));
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(fault.reason, fault.message, text);
    struct buf out = {0};

    buf_addf(&out, "HTTP/1.1 %u %s\r\n", answer.status,
             MHD_get_reason_phrase_for(answer.status));
    add_date(&out);
    if (answer.retry_after_s > 0) {
        buf_addf(&out, "Retry-After: %u\r\n", answer.retry_after_s);
    }
    buf_addf(
        &out,
        "Content-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
        answer.body.len);
    buf_add(&out, answer.body.data, is_head ? 0 : answer.body.len);
    (void)!http_transport_send(connection, out.data, out.len);
    buf_free(&out);
}

/* The connection ends: at once, or when the library closes it. */
static void end(struct http_connection *connection)
{
    connection->refused = true;
    if (connection->mhd != NULL) {
        http_connection_pass(connection);
    } else {
        http_connection_close(connection);
    }
}

/* ---- a head ---- */

static struct http_fault check_body(const struct http_request *request,
                                    const struct http_head *head)
{
    if (head->length > request->max_body_bytes) {
        return http_too_large;
    }
    if (!http_client_may_hold(request->server, request->connection->client, head->length)) {
        return http_no_room; /* now, rather than after the client has sent it in vain */
    }
    return (struct http_fault){.message = NULL};
}

static void hand_on(struct http_connection *connection, struct http_request *request,
                    const struct http_head *head)
{
    static const struct sockaddr unknown = {.sa_family = AF_UNIX}; /* we know it */
    struct http_server *server = connection->server;

    request->chunked = head->chunked;
    http_head_write(head, &request->head);
    connection->request = request;
    connection->head_bytes = connection->passed = head->bytes;
    connection->left = head->length;
    connection->chunks = (struct http_chunks){0};
    server->live_count++;
    if (connection->mhd != NULL) {
        http_connection_pass(connection);
    } else if (MHD_add_connection(server->daemon, connection->watch.fd, &unknown,
                                  sizeof(unknown)) != MHD_YES) {
        /* out of memory; it has closed the descriptor, and so the connection */
        server->live_count--;
        http_request_give_back(request);
    }
}

/* True if there is a head, good or bad. */
static bool judge(struct http_connection *connection)
{
    struct http_request *request;
    struct http_head head;
    struct http_fault fault;

    fault = http_head_read(buf_slice(&connection->in), &connection->scanned, &head);
    if (fault.message == NULL && head.bytes == 0) {
        return false;
    }
    request = http_request_take(connection);
    request->length = head.length;
    if (fault.message == NULL) {
        fault = check_body(request, &head);
    }
    if (fault.message == NULL) {
        /* no need to ask for a body that is coming already */
        head.expects_continue &= connection->in.len == head.bytes;
        hand_on(connection, request, &head);
        return true;
    }
    http_report_refusal(request, fault.reason, fault.message);
    http_request_give_back(request);
    send_refusal(connection, fault);
    end(connection);
    return true;
}

/* One empty line before a head may be ignored, for old clients: RFC 9112 section 2.2. False: half of
 * it has come. */
static bool skip_blank(struct http_connection *connection)
{
    struct buf *in = &connection->in;

    if (connection->blank || !slice_starts_with(buf_slice(in), SLICE("\r"))) {
        return true;
    }
    if (in->len == 1) {
        return false;
    }
    if (in->data[1] == '\n') {
        connection->blank = true;
        in->len -= 2;
        memmove(in->data, in->data + 2, in->len + 1);
    }
    return true;
}

static void report_handshake(struct http_connection *connection, enum reject reason,
                             const char *why)
{
    struct http_request *request = http_request_take(connection);

    http_report_refusal(request, reason, why);
    http_request_give_back(request);
}

/* False: the handshake goes on, or has failed, and with it the connection. */
static bool is_shaken(struct http_connection *connection)
{
    static const struct http_fault plain = {REJECT_BAD_REQUEST, "this port takes TLS only"};
    char why[HTTP_WHY_SIZE];

    switch (http_transport_shake(connection, why)) {
    case HANDSHAKE_DONE:
        return true;
    case HANDSHAKE_GOES_ON:
        return false;
    case HANDSHAKE_HTTP:
        report_handshake(connection, plain.reason, plain.message);
        send_refusal(connection, plain);
        break;
    case HANDSHAKE_FAILED:
        if (why[0] != '\0') {
            report_handshake(connection, REJECT_TLS, why);
        }
        break;
    }
    end(connection);
    return false;
}

void http_guard_read(struct http_connection *connection)
{
    char *scratch = connection->server->scratch;
    ssize_t len = 1;

    if (!is_shaken(connection)) {
        return;
    }
    while (len > 0) {
        bool begun = skip_blank(connection) && connection->in.len > 0;

        if (begun && connection->phase == PHASE_IDLE) {
            http_connection_enter(connection, PHASE_READING);
        }
        if (begun && judge(connection)) {
            return;
        }
        len = connection->readable ? receive(connection, scratch, HTTP_READ_BYTES) : 0;
        buf_add(&connection->in, scratch, len > 0 ? (size_t)len : 0);
    }
    if (connection->finished) {
        end(connection);
    }
}

/* ---- what the library reads ---- */

static bool body_is_open(const struct http_connection *connection)
{
    return connection->request->chunked ? !connection->chunks.complete : connection->left > 0;
}

bool http_guard_has_more(const struct http_connection *connection)
{
    const struct http_request *request = connection->request;

    if (connection->refused) {
        return true; /* the end */
    }
    return request != NULL &&
           (request->head_passed < request->head.len ||
            (body_is_open(connection) && (connection->in.len > connection->passed ||
                                          connection->readable || connection->finished)));
}

static size_t take(const struct buf *from, size_t *at, char *to, size_t room)
{
    size_t len = from->len - *at < room ? from->len - *at : room;

    memcpy(to, from->data + *at, len);
    *at += len;
    return len;
}

static ssize_t receive_if_ready(struct http_connection *connection, char *data, size_t room)
{
    if (connection->readable || connection->finished) {
        return receive(connection, data, room);
    }
    errno = EAGAIN;
    return -1;
}

/* Of a body of known length: what came with the head, then what the socket has, and no byte more
 * than belongs to it. */
static ssize_t read_plain(struct http_connection *connection, char *data, size_t room)
{
    size_t most = connection->left < room ? (size_t)connection->left : room;
    ssize_t len = connection->in.len > connection->passed
                      ? (ssize_t)take(&connection->in, &connection->passed, data, most)
                      : receive_if_ready(connection, data, most);

    connection->left -= len > 0 ? (uint64_t)len : 0;
    return len;
}

/* More of a body in chunks, behind the head. */
static ssize_t refill(struct http_connection *connection, size_t room)
{
    struct buf *in = &connection->in;
    ssize_t len;

    in->len = connection->passed = connection->head_bytes;
    buf_reserve(in, room);
    len = receive_if_ready(connection, in->data + in->len, room);
    in->len += len > 0 ? (size_t)len : 0;
    return len;
}

/* The answer does not wait for the end of a body that is malformed, or announces too much. */
static void refuse_body(struct http_connection *connection, struct http_fault fault)
{
    struct http_request *request = connection->request;

    if (request->fault.message == NULL) {
        request->fault = fault;
        http_report_refusal(request, fault.reason, fault.message);
    }
    send_refusal(connection, request->fault);
    connection->refused = true;
}

/* Of a body in chunks: what is left of them. What is behind it stays. */
static ssize_t read_chunks(struct http_connection *connection, char *data, size_t room)
{
    size_t kept = 0, taken, used;
    ssize_t len;

    while (kept == 0) {
        if (connection->in.len == connection->passed && (len = refill(connection, room)) <= 0) {
            return len;
        }
        taken = take(&connection->in, &connection->passed, data, room);
        if (!http_chunks_pass(&connection->chunks, data, taken, &kept, &used)) {
            refuse_body(connection, broken_chunk);
            return 0;
        }
        /* Far too much is announced: there is no need to see it. A little too much shows as it comes. */
        if (connection->chunks.left > connection->request->max_body_bytes) {
            refuse_body(connection, http_too_large);
            return 0;
        }
        connection->passed -= taken - used;
    }
    return (ssize_t)kept;
}

static ssize_t read_body(struct http_connection *connection, char *data, size_t room)
{
    return connection->request->chunked ? read_chunks(connection, data, room)
                                        : read_plain(connection, data, room);
}

ssize_t http_guard_feed(struct http_connection *connection, char *data, size_t room)
{
    struct http_request *request = connection->request;
    ssize_t len = 0, more = 0;

    if (!http_guard_has_more(connection)) {
        errno = EAGAIN;
        return -1;
    }
    if (connection->refused) {
        return 0;
    }
    if (request->head_passed < request->head.len) {
        len = (ssize_t)take(&request->head, &request->head_passed, data, room);
    }
    /* The head goes alone if what is behind it may be refused here: the library may answer it. */
    if (len == 0 || (!request->chunked && connection->in.len > connection->passed &&
                     body_is_open(connection))) {
        more = read_body(connection, data + len, room - (size_t)len);
    }
    if (http_guard_has_more(connection)) {
        http_connection_pass(connection);
    }
    return len > 0 && more < 0 ? len : len + more;
}

void http_guard_next(struct http_connection *connection)
{
    struct buf *in = &connection->in;

    connection->blank = false;
    in->len -= connection->passed;
    if (in->len > 0) {
        memmove(in->data, in->data + connection->passed, in->len);
    } else {
        buf_free(in);
    }
    connection->passed = connection->head_bytes = connection->scanned = 0;
    if (in->len > 0 || connection->readable || connection->finished) {
        http_connection_note(connection);
    }
}
