/*
 * The verbs of the tail shape: every handler is a function that ends in a jump to the next one.
 * Shared by fast.c (one handler per form) and the generated units (specialised handlers).
 */
#ifndef OXBOW_CPU_FAST_TAIL_H
#define OXBOW_CPU_FAST_TAIL_H

#include "cpu/ops.h"
#include "cpu/pass_fast.h"

#ifdef __has_attribute
#if __has_attribute(musttail)
#define MUSTTAIL __attribute__((musttail))
#endif
#endif
#ifndef MUSTTAIL
#define MUSTTAIL
#endif

#define GO MUSTTAIL return i->exec(c, i);
#define GO_TO(to)                                                                              \
    {                                                                                          \
        struct insn *to_ = (to);                                                               \
        MUSTTAIL return to_->exec(c, to_);                                                     \
    }
/*
 * The step is hidden from the compiler, or it keeps both addresses and needs two instructions more.
 */
#define GO_ON(n)                                                                               \
    {                                                                                          \
        i += (n);                                                                              \
        OPAQUE(i);                                                                             \
        GO                                                                                     \
    }
#define EXIT return;
#define MISS MUSTTAIL return fast_miss(c, i);
#define EVENT MUSTTAIL return fast_event(c, i);
#define LOOKUP MUSTTAIL return fast_lookup(c, i);

/* Any check of a fast body failed: nothing has happened yet, the generic handler does it all. */
void fast_miss(struct cpu *c, struct insn *i);
void fast_event(struct cpu *c, struct insn *i);
void fast_lookup(struct cpu *c, struct insn *i);

#endif
