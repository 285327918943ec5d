/*
 * What a port has sent, kept for a test script to look through: the last million characters.
 */
#ifndef OXBOW_GUI_CAPTURE_H
#define OXBOW_GUI_CAPTURE_H

#include "memory/base.h"

struct capture {
    char *text; /* n characters, zero-terminated; NULL while nothing came */
    size_t n, room;
    size_t from; /* where the next wait begins: behind the last match */
};

void capture_add(struct capture *c, const uint8_t *data, size_t n);
/* Finds `what` at or behind c->from and moves that behind it. */
bool capture_find(struct capture *c, const char *what);
/* Anywhere in what is kept. */
bool capture_has(const struct capture *c, const char *what);
void capture_free(struct capture *c);

#endif
