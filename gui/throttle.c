/*
 * Guest time against the wall clock; see throttle.h.
 */
#include "gui/throttle.h"

/* Behind by more than this, the lost time is given up. */
#define MAX_BEHIND_US 100000u

void throttle_start(struct throttle *t, uint64_t ips, uint64_t icount, uint64_t host_us)
{
    *t = (struct throttle){ips, host_us, icount};
}

uint64_t throttle_ahead(struct throttle *t, uint64_t icount, uint64_t host_us)
{
    uint64_t n = icount - t->icount;
    /* Whole seconds apart, so that the product stays within 64 bits. */
    uint64_t guest = n / t->ips * 1000000u + n % t->ips * 1000000u / t->ips;
    uint64_t host = host_us - t->host_us;

    if (guest >= host) {
        return guest - host;
    }
    if (host - guest > MAX_BEHIND_US) {
        throttle_start(t, t->ips, icount, host_us);
    }
    return 0;
}
