/*
 * Errors that a person has to see: one sentence that names the file or option, what is wrong and
 * what to do.  Fallible functions take a struct err * (may be NULL) and return false or NULL.
 */
#ifndef OXBOW_MEMORY_ERR_H
#define OXBOW_MEMORY_ERR_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct err {
    char text[512]; /* empty: no error */
};

/* Sets the text (printf style) and returns false, so that callers can `return err_set(...)`. */
bool err_set(struct err *e, const char *fmt, ...) FORMAT_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif

#endif
