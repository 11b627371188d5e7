/*
 * Talks to the service manager over environment variables and a datagram socket. Without these
 * variables every function does nothing. A notification that is lost makes the manager act as
 * if we hung, which is the safe side.
 */
#include "common/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/check.h"

enum {
    FIRST_PASSED_FD = 3, /* SD_LISTEN_FDS_START, sd_listen_fds(3) */
    NOTIFY_WAIT_S = 1,
};

static long environment_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long number;

    if (text == NULL || *text == '\0') {
        return 0;
    }
    number = strtol(text, &end, 10);
    return *end == '\0' && number > 0 ? number : 0;
}

/* The i-th of the colon-separated names. */
static void name_of_socket(const char *names, size_t i, char *out_name, size_t size_bytes)
{
    while (names != NULL && i > 0) {
        names = strchr(names, ':');
        names = names == NULL ? NULL : names + 1;
        i--;
    }
    out_name[0] = '\0';
    if (names != NULL) {
        (void)snprintf(out_name, size_bytes, "%.*s", (int)strcspn(names, ":"), names);
    }
}

size_t service_take_sockets(struct service_socket out[SERVICE_SOCKETS_MAX])
{
    const char *names = getenv("LISTEN_FDNAMES");
    size_t count = (size_t)environment_number("LISTEN_FDS");

    if (environment_number("LISTEN_PID") != (long)getpid()) {
        count = 0; /* they are for another process, such as a parent */
    }
    if (count > SERVICE_SOCKETS_MAX) {
        count = SERVICE_SOCKETS_MAX;
    }
    for (size_t i = 0; i < count; i++) {
        int fd = FIRST_PASSED_FD + (int)i;
        int flags = fcntl(fd, F_GETFL);

        CHECK(flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
        CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
        out[i].fd = fd;
        name_of_socket(names, i, out[i].name, sizeof(out[i].name));
    }
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return count;
}

void service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    const struct timeval wait = {.tv_sec = NOTIFY_WAIT_S};
    size_t len = path == NULL ? 0 : strlen(path);
    int fd;

    if (len == 0 || len >= sizeof(sun.sun_path)) {
        return;
    }
    memcpy(sun.sun_path, path, len);
    if (sun.sun_path[0] == '@') {
        sun.sun_path[0] = '\0'; /* an abstract socket */
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    /* A manager that reads nothing does not hold us up. May be lost: see above. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&sun,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    (void)close(fd);
}

bool service_is_managed(void)
{
    return getenv("NOTIFY_SOCKET") != NULL;
}

int64_t service_watchdog_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID");

    if (pid != NULL && environment_number("WATCHDOG_PID") != (long)getpid()) {
        return 0;
    }
    return environment_number("WATCHDOG_USEC") / 1000;
}
