/*
 * service - what a service manager and we tell each other: sockets it hands over
 * (sd_listen_fds(3)), readiness and the watchdog (sd_notify(3)). Two small, stable protocols
 * over the environment; no library is needed for them.
 */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include <stddef.h>
#include <stdint.h>

enum { SERVICE_SOCKETS_MAX = 16 };
/* One socket that the service manager handed over; name as in FileDescriptorName= (or ""). */
struct service_socket {
    int fd;
    char name[64];
};
/* Main thread, once, before threads start. Takes the environment's LISTEN_FDS (and removes the
 * variables); returns how many, 0 when not activated. Descriptors are made non-blocking and
 * close-on-exec. */
size_t service_take_sockets(struct service_socket out[SERVICE_SOCKETS_MAX]);

/* Any thread. Tells the service manager (sd_notify(3) protocol): "READY=1", "STOPPING=1",
 * "WATCHDOG=1", "STATUS=…". Does nothing without NOTIFY_SOCKET. */
void service_notify(const char *state);
/* Main thread. The watchdog interval from WATCHDOG_USEC; 0 if none is wanted. */
int64_t service_watchdog_ms(void);

#endif
