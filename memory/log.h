/*
 * Log of the library: levels, a sink owned by the front end, and a rate limit for what the guest
 * can trigger.  The library itself never prints (R9).
 */
#ifndef OXBOW_MEMORY_LOG_H
#define OXBOW_MEMORY_LOG_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum log_level { LOG_ERROR, LOG_WARN };

struct log {
    enum log_level level; /* messages above it are dropped */
    void (*sink)(void *ctx, enum log_level level, const char *area, const char *text);
    void *ctx;
    uint32_t guest_budget; /* odd guest behaviour still reported; see log_guest */
};

void log_init(struct log *l);
/*
 * Odd guest behaviour (R7): a warning, silent after the first 1000 of a run.
 * area: the chip or module, e.g. "i8259".  l may be NULL.
 */
void log_guest(struct log *l, const char *area, const char *fmt, ...) FORMAT_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif

#endif
