/*
 * Text that a port has sent; see capture.h.  Zero bytes are left out, so that the rest is a string.
 */
#include "gui/capture.h"

#include <stdlib.h>
#include <string.h>

#define KEEP ((size_t)1 << 20)

/* Room for one more; drops the older half when the limit is reached. */
static bool make_room(struct capture *c)
{
    if (c->n + 1 < c->room) {
        return true;
    }
    if (c->room >= KEEP) {
        size_t half = c->n / 2;

        memmove(c->text, c->text + half, c->n - half);
        c->n -= half;
        c->from -= MIN(c->from, half);
        return true;
    }
    size_t room = c->room ? c->room * 2 : 4096;
    char *text = realloc(c->text, room);

    if (text) {
        c->text = text;
        c->room = room;
    }
    return text != NULL;
}

void capture_add(struct capture *c, const uint8_t *data, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (data[k] && make_room(c)) {
            c->text[c->n++] = (char)data[k];
        }
    }
    if (c->text) {
        c->text[c->n] = 0;
    }
}

bool capture_find(struct capture *c, const char *what)
{
    const char *at = c->text ? strstr(c->text + c->from, what) : NULL;

    if (at) {
        c->from = (size_t)(at - c->text) + strlen(what);
    }
    return at != NULL;
}

bool capture_has(const struct capture *c, const char *what)
{
    return c->text && strstr(c->text, what);
}

void capture_free(struct capture *c)
{
    free(c->text);
    *c = (struct capture){0};
}
