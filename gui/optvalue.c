/*
 * Values of options; see optvalue.h.
 */
#include "gui/optvalue.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool optvalue_number(const char *text, uint64_t *v)
{
    char *end;

    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    *v = strtoull(text, &end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
    return errno == 0 && *end == 0;
}

bool optvalue_scaled(const char *text, uint64_t step, uint64_t unit, uint64_t *v)
{
    static const char suffix[] = "KMGT";
    const char *at;
    uint64_t n, scale = 1;
    char *end;

    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    n = strtoull(text, &end, 10);
    if (errno != 0) {
        return false;
    }
    if (*end == 0) {
        scale = unit;
    } else {
        at = strchr(suffix, toupper((unsigned char)*end));
        if (!at || !*at || (end[1] != 0 && !((end[1] | 0x20) == 'b' && end[2] == 0))) {
            return false;
        }
        for (; at >= suffix; at--) {
            scale *= step;
        }
    }
    if (n > UINT64_MAX / scale) {
        return false;
    }
    *v = n * scale;
    return true;
}

bool optvalue_switch(const char *text, bool *v)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true"};

    for (unsigned n = 0; n < ARRAY_LEN(words); n++) {
        if (strcmp(text, words[n]) == 0) {
            *v = n & 1;
            return true;
        }
    }
    return false;
}

bool optvalue_next(const char **at, struct optpair *p)
{
    const char *s = *at;
    size_t n = 0, key = strcspn(s, "=,");

    if (*s == 0) {
        return false;
    }
    p->key[0] = 0;
    if (s[key] == '=') {
        n = MIN(key, sizeof p->key - 1);
        memcpy(p->key, s, n);
        p->key[n] = 0;
        s += key + 1;
    }
    for (n = 0; *s && (*s != ',' || s[1] == ','); s++) {
        if (*s == ',') {
            s++;
        }
        if (n < sizeof p->value - 1) {
            p->value[n++] = *s;
        }
    }
    p->value[n] = 0;
    *at = *s ? s + 1 : s;
    return true;
}
