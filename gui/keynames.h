/*
 * Names of keys, as QEMU's sendkey has them, and chords such as ctrl-alt-delete.
 */
#ifndef OXBOW_GUI_KEYNAMES_H
#define OXBOW_GUI_KEYNAMES_H

#include "memory/base.h"

enum { KEYNAMES_MAX = 8 };

/* The codes of oxbow_key() for the keys of a chord, in order; how many, 0: not understood. */
unsigned keynames_chord(const char *chord, unsigned codes[KEYNAMES_MAX]);

#endif
