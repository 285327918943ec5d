/*
 * Guest time against the wall clock, for runs that somebody watches: the front end runs a slice,
 * asks how far the guest is ahead, and sleeps that long.  A guest that is behind (a slow host, a
 * suspended program) is not hurried.
 */
#ifndef OXBOW_GUI_THROTTLE_H
#define OXBOW_GUI_THROTTLE_H

#include "memory/base.h"

struct throttle {
    uint64_t ips;
    uint64_t host_us, icount; /* the moment at which the two clocks agreed */
};

void throttle_start(struct throttle *t, uint64_t ips, uint64_t icount, uint64_t host_us);
/* Microseconds that the guest is ahead of the host. */
uint64_t throttle_ahead(struct throttle *t, uint64_t icount, uint64_t host_us);

#endif
