/*
 * Handler ids and the tables that turn them into code.  The ids come from the bodies themselves
 * (handlers.inc), so a handler cannot be forgotten here.
 */
#ifndef OXBOW_CPU_HANDLERS_H
#define OXBOW_CPU_HANDLERS_H

#include "cpu/insn.h"

enum handler {
#define OP(name, ...) OP_ID(name),
#define OP_ID(name) H_##name
#include "cpu/handlers.inc"
#undef OP
#undef OP_ID
    H_COUNT
};

/* Generic layer: the whole instruction set (slow.c). */
extern const slow_fn slow_table[H_COUNT];
/* What records hold in `exec` for this build's dispatch shape (fast.c). */
op_fn fast_handler(unsigned id);
/* Runs from record i until a handler returns to the run loop (fast.c). */
void cpu_execute(struct cpu *c, struct insn *i);

extern const char *const handler_names[H_COUNT];

#endif
