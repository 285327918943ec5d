/*
 * Errors that a person has to see; see err.h.  The text is cut, never overrun.
 */
#include "memory/err.h"

#include <stdarg.h>
#include <stdio.h>

bool err_set(struct err *e, const char *fmt, ...)
{
    va_list ap;

    if (e) {
        va_start(ap, fmt);
        (void)vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
    }
    return false;
}
