/*
 * The specialised layer of a trace: constant registers and addresses, flags only where somebody
 * reads them, compare and branch in one handler.
 */
#ifndef OXBOW_CPU_SPECIALISE_H
#define OXBOW_CPU_SPECIALISE_H

#include "cpu/trace.h"

/*
 * Gives the records of a finished trace their best handlers.  A pure function of the records; `id`
 * keeps naming the generic handler, which is what runs when a check fails.
 */
void fast_specialise(const struct cpu *c, struct trace *t);

/* A record that replaces another may need other handlers, here or around it. */
bool fast_differs(const struct insn *was, const struct insn *now);

/*
 * FAST_LAYER says that the generated files are there and the dispatch shape can use them.
 */
#if !defined(DISPATCH_TAIL) && !defined(DISPATCH_GOTO)
#undef FAST_LAYER
#endif

/* What the generated tables are made of. */
#if defined(DISPATCH_TAIL)
extern const op_fn fast_unit0[], fast_unit1[], fast_unit2[], fast_unit3[];
extern const op_fn fast_unit4[], fast_unit5[], fast_unit6[], fast_unit7[];
#endif
/* Handler n of a unit. */
op_fn fast_special(unsigned unit, unsigned n);

#endif
