/*
 * Log of the library: formats a line and hands it to the front end's sink.
 *
 * What the guest can trigger goes through log_guest and its budget, so that no guest can fill the
 * host's disk with messages (R7).
 */
#include "memory/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { GUEST_BUDGET = 1000 };

void log_init(struct log *l)
{
    memset(l, 0, sizeof *l);
    l->level = LOG_WARN;
    l->guest_budget = GUEST_BUDGET;
}

void log_guest(struct log *l, const char *area, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (!l || !l->sink || LOG_WARN > l->level || l->guest_budget == 0) {
        return;
    }
    l->guest_budget--;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    l->sink(l->ctx, LOG_WARN, area, text);
    if (l->guest_budget == 0) {
        l->sink(l->ctx, LOG_WARN, "log", "further messages about odd guest behaviour are dropped");
    }
}
