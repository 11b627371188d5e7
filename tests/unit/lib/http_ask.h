/*
 * http_ask - a client for tests of one listener: one request per connection, and the whole
 * answer as it came over the wire.
 */
#ifndef TESTS_UNIT_LIB_HTTP_ASK_H
#define TESTS_UNIT_LIB_HTTP_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net.h"

static int listen_fd;
static char answer[64 * 1024]; /* to the last request */

static inline enum status listen_somewhere(void)
{
    struct net_address address;
    struct err err;
    enum status st = net_parse_address("127.0.0.1:0", &address, &err);

    return st == ST_OK ? net_listen(&address, &listen_fd, &err) : st;
}

static inline int connect_client(void)
{
    struct timeval limit = {.tv_sec = 10};
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    return fd;
}

/* Reads until the server closes. */
static inline void read_all(int fd)
{
    size_t len = 0;
    ssize_t got;

    while ((got = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0) {
        len += (size_t)got;
    }
    assert_int_equal(got, 0);
    answer[len] = '\0';
}

/* line: `GET /path`; fields: each with its line end. */
static inline void ask(const char *line, const char *fields, const char *body)
{
    int fd = connect_client();
    char request[1024];

    snprintf(request, sizeof(request),
             "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
             "%zu\r\n%s\r\n%s",
             line, strlen(body), fields, body);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    read_all(fd);
    close(fd);
}

static inline const char *answer_body(void)
{
    const char *end = strstr(answer, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static inline void assert_status(unsigned status)
{
    char line[32];

    snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
    assert_memory_equal(answer, line, strlen(line));
}

static inline void assert_answer(unsigned status, const char *body)
{
    assert_status(status);
    assert_string_equal(answer_body(), body);
}

#endif
