/*
 * service - the protocols of a service manager: sockets that it hands over (sd_listen_fds(3)),
 * readiness and the watchdog (sd_notify(3)). Both are small and stable, so no library is needed.
 */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVICE_SOCKETS_MAX = 16 };
/* A socket that the service manager handed over; name is its FileDescriptorName=, or "". */
struct service_socket {
    int fd;
    char name[64];
};
/* Main thread, once, before threads start. Takes the sockets of LISTEN_FDS, makes them
 * non-blocking and close-on-exec, and removes the variables. Returns their number, 0 without
 * socket activation. */
size_t service_take_sockets(struct service_socket out[SERVICE_SOCKETS_MAX]);

/* Any thread. Notifies the service manager (sd_notify(3) protocol): "READY=1", "STOPPING=1",
 * "WATCHDOG=1", "STATUS=…". Does nothing without NOTIFY_SOCKET. */
void service_notify(const char *state);
/* Any thread. True if a service manager waits for notifications. */
bool service_is_managed(void);
/* Main thread. The watchdog interval from WATCHDOG_USEC; 0 without a watchdog. */
int64_t service_watchdog_ms(void);

#endif
