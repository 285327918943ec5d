/*
 * Pictures in test scripts; see scriptpic.h.
 *
 * A picture is compared by a CRC-32 of its pixels, so that a script can say what it wants to see
 * without a copy of it.
 */
#include "gui/scriptpic.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "gui/optvalue.h"

/* A part of the picture at some time: `keep`. */
struct script_part {
    struct script_part *next;
    unsigned x, y, w, h; /* w = 0: the whole picture, whatever its size */
    uint32_t sum;
    char name[];
};

/* What `wait` waits for, and what it has seen so far. */
struct picture_goal {
    const char *word, *value;
    uint64_t seq, since, wanted; /* still: unchanged since, for how many instructions */
    bool seen;                   /* seq holds */
    bool reached;                /* at seq */
};

enum { SUM_DIGITS = 8 };

/* --- check sums ---------------------------------------------------------------------------- */

/* CRC-32 of a part that lies within the picture. */
static uint32_t sum_of(const struct surface *s, unsigned x, unsigned y, unsigned w, unsigned h)
{
    uLong crc = crc32(0, NULL, 0);
    uint8_t rgb[3 * 256];

    for (unsigned row = y; row < y + h; row++) {
        const uint32_t *px = s->px + (size_t)row * s->stride + x;
        unsigned n = 0;

        for (unsigned col = 0; col < w; col++) {
            rgb[n++] = (uint8_t)(px[col] >> 16);
            rgb[n++] = (uint8_t)(px[col] >> 8);
            rgb[n++] = (uint8_t)px[col];
            if (n == sizeof rgb || col + 1 == w) {
                crc = crc32(crc, rgb, n);
                n = 0;
            }
        }
    }
    return (uint32_t)crc;
}

uint32_t scriptpic_sum(const struct surface *s)
{
    return s ? sum_of(s, 0, 0, s->w, s->h) : 0;
}

/* The part as it is now; false: it does not lie within the picture. */
static bool part_sum(const struct surface *s, const struct script_part *p, uint32_t *sum)
{
    if (!s || p->x > s->w || p->w > s->w - p->x || p->y > s->h || p->h > s->h - p->y) {
        return false;
    }
    *sum = p->w ? sum_of(s, p->x, p->y, p->w, p->h) : scriptpic_sum(s);
    return true;
}

/* --- parts --------------------------------------------------------------------------------- */

static struct script_part *find_part(const struct script_run *r, const char *name)
{
    struct script_part *p = r->parts;

    while (p && strcmp(p->name, name) != 0) {
        p = p->next;
    }
    return p;
}

enum script_result scriptpic_keep(struct script_run *r, const struct script_line *l,
                                  struct err *e)
{
    struct script_part *p = find_part(r, l->argv[0]);
    uint64_t at[4] = {0};

    if (!p) {
        p = calloc(1, sizeof *p + strlen(l->argv[0]) + 1);
        if (!p) {
            err_set(e, "not enough memory for a picture");
            return SCRIPT_INTERNAL;
        }
        strcpy(p->name, l->argv[0]);
        p->next = r->parts;
        r->parts = p;
    }
    for (int n = 1; n < l->argc; n++) {
        optvalue_number(l->argv[n], &at[n - 1]);
    }
    p->x = (unsigned)at[0];
    p->y = (unsigned)at[1];
    p->w = (unsigned)at[2];
    p->h = (unsigned)at[3];
    if (!part_sum(oxbow_surface(r->vm.m), p, &p->sum)) {
        err_set(e, "keep %.80s: this part is not within the picture", p->name);
        return SCRIPT_FAILED;
    }
    return SCRIPT_PASSED;
}

void scriptpic_free(struct script_run *r)
{
    while (r->parts) {
        struct script_part *p = r->parts;

        r->parts = p->next;
        free(p);
    }
}

/* --- words --------------------------------------------------------------------------------- */

bool scriptpic_is_goal(const char *word)
{
    static const char *const words[] = {"picture", "size", "still", "same", "changed"};

    for (size_t n = 0; n < ARRAY_LEN(words); n++) {
        if (strcmp(words[n], word) == 0) {
            return true;
        }
    }
    return false;
}

/* WIDTHxHEIGHT */
static bool parse_size(const char *text, unsigned *w, unsigned *h)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10), u = 0;

    if (*end == 'x') {
        u = strtoul(end + 1, &end, 10);
    }
    *w = (unsigned)v;
    *h = (unsigned)u;
    return *text != '-' && v > 0 && u > 0 && v < 100000 && u < 100000 && *end == 0;
}

const char *scriptpic_misfit(const char *word, const char *value)
{
    unsigned w, h;
    uint64_t us;

    if (strcmp(word, "picture") == 0) {
        return strlen(value) == SUM_DIGITS && strspn(value, "0123456789abcdef") == SUM_DIGITS
                   ? NULL
                   : "not eight hexadecimal digits as `show picture` prints them";
    }
    if (strcmp(word, "size") == 0) {
        return parse_size(value, &w, &h) ? NULL : "not a size such as 640x480";
    }
    if (strcmp(word, "still") == 0) {
        return script_seconds(value, &us) ? NULL : "not a number of seconds";
    }
    return *value ? NULL : "empty";
}

/* --- looking ------------------------------------------------------------------------------- */

/* Whether the picture that is there now is the wanted one. */
static bool looks_right(struct script_run *r, const struct surface *s, const char *word,
                        const char *value)
{
    const struct script_part *p;
    uint32_t sum = 0;
    unsigned w, h;

    if (strcmp(word, "picture") == 0) {
        return scriptpic_sum(s) == (uint32_t)strtoul(value, NULL, 16);
    }
    if (strcmp(word, "size") == 0) {
        return parse_size(value, &w, &h) && s->w == w && s->h == h;
    }
    p = find_part(r, value);
    return p && (part_sum(s, p, &sum) && sum == p->sum) == (strcmp(word, "same") == 0);
}

static bool picture_reached(struct script_run *r, void *ctx)
{
    struct picture_goal *g = ctx;
    const struct surface *s = oxbow_surface(r->vm.m);
    bool new = !g->seen || s->seq != g->seq;

    if (new) {
        g->seen = true;
        g->seq = s->seq;
        g->since = oxbow_icount(r->vm.m);
    }
    if (strcmp(g->word, "still") == 0) {
        return oxbow_icount(r->vm.m) - g->since >= g->wanted;
    }
    if (new) {
        g->reached = looks_right(r, s, g->word, g->value);
    }
    return g->reached;
}

/* What both words need: a display adapter, and a part that was kept. */
static enum script_result ready(struct script_run *r, const char *word, const char *value,
                                struct err *e)
{
    bool part = strcmp(word, "same") == 0 || strcmp(word, "changed") == 0;

    if (!oxbow_surface(r->vm.m)) {
        err_set(e, "%s: the machine has no display adapter", word);
        return SCRIPT_BAD;
    }
    if (part && !find_part(r, value)) {
        err_set(e, "%s %.80s: nothing was kept under this name", word, value);
        return SCRIPT_BAD;
    }
    return SCRIPT_PASSED;
}

enum script_result scriptpic_wait(struct script_run *r, const char *word, const char *value,
                                  struct err *e)
{
    struct picture_goal g = {.word = word, .value = value};
    enum script_result result = ready(r, word, value, e);
    uint64_t us = 0;
    char what[128];

    if (result != SCRIPT_PASSED) {
        return result;
    }
    if (strcmp(word, "still") == 0) {
        script_seconds(value, &us);
        g.wanted = script_instructions(r, us);
    }
    snprintf(what, sizeof what, "%s %.80s", word, value);
    return script_until(r, picture_reached, &g, what, e);
}

enum script_result scriptpic_expect(struct script_run *r, const char *word, const char *value,
                                    struct err *e)
{
    enum script_result result = ready(r, word, value, e);
    const struct surface *s = oxbow_surface(r->vm.m);

    if (result == SCRIPT_PASSED && !looks_right(r, s, word, value)) {
        err_set(e, "expected %s %.80s; the picture is %08x, %ux%u", word, value,
                (unsigned)scriptpic_sum(s), s->w, s->h);
        result = SCRIPT_FAILED;
    }
    return result;
}

void scriptpic_show(struct script_run *r, FILE *f)
{
    const struct surface *s = oxbow_surface(r->vm.m);

    if (s) {
        fprintf(f, "picture: %08x %ux%u\n", (unsigned)scriptpic_sum(s), s->w, s->h);
    }
}
