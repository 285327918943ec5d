/*
 * Options that QEMU has and Oxbow has not: each is answered with a sentence.
 */
#ifndef OXBOW_GUI_OPTREFUSED_H
#define OXBOW_GUI_OPTREFUSED_H

#include "memory/base.h"
#include "memory/err.h"

bool optrefused_knows(const char *name);
/* True when the next word of the command line is its value. */
bool optrefused_takes_value(const char *name);
/* True only for a value that asks for what is so anyway, like -net none. */
bool optrefused_check(const char *name, const char *value, struct err *e);

#endif
