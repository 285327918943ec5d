/*
 * One unit of specialised handlers in the tail shape.  The generated .c file names its bodies
 * (FAST_UNIT_BODIES) and its table (FAST_UNIT_TABLE), and includes this.
 */
#if defined(FAST_LAYER) && defined(DISPATCH_TAIL)

#include "cpu/fast_tail.h"
#include "cpu/specialise.h"

#define FAST(name, ...) static void g_##name(struct cpu *c, struct insn *i) { __VA_ARGS__ }
#include FAST_UNIT_BODIES
#undef FAST

#define FAST(name, ...) g_##name,
const op_fn FAST_UNIT_TABLE[] = {
#include FAST_UNIT_BODIES
};
#undef FAST

#endif
