/*
 * Values of options: sizes, numbers, switches and lists of key=value.
 */
#ifndef OXBOW_GUI_OPTVALUE_H
#define OXBOW_GUI_OPTVALUE_H

#include "memory/base.h"

/* A number, decimal or with 0x; true when all of the text is one. */
bool optvalue_number(const char *text, uint64_t *v);
/*
 * Decimal with an optional suffix K, M, G or T of steps of `step` (1000 or 1024); plain numbers
 * count `unit`s.
 */
bool optvalue_scaled(const char *text, uint64_t step, uint64_t unit, uint64_t *v);
/* on, off, yes, no, true, false. */
bool optvalue_switch(const char *text, bool *v);

/* One piece of "key=value,key=value", where ",," in a value is a comma. */
struct optpair {
    char key[32];    /* "" when the piece has no '=' */
    char value[1024];
};

/* Takes the next piece off *at; false: none is left.  What is too long is cut. */
bool optvalue_next(const char **at, struct optpair *p);

#endif
