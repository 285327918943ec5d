/*
 * The generic layer: every handler of handlers.inc as a function that returns the next record.
 * It is the whole instruction set, the slow path of the fast layer and the oracle of its tests.
 */
#include "cpu/ops.h"
#include "cpu/pass_generic.h"
#include "cpu/trace.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/slowops.def"
#undef SLOWOP

#define OP(name, ...) OP_FUNC(name, __VA_ARGS__)
#define OP_FUNC(name, ...)                                                                     \
    static struct insn *s_##name(struct cpu *c UNUSED, struct insn *i) { __VA_ARGS__ }
#include "cpu/handlers.inc"
#undef OP
#undef OP_FUNC

#define OP(name, ...) OP_ENTRY(name)
#define OP_ENTRY(name) [H_##name] = s_##name,
const slow_fn slow_table[H_COUNT] = {
#include "cpu/handlers.inc"
};
#undef OP_ENTRY

#define OP_ENTRY(name) [H_##name] = #name,
const char *const handler_names[H_COUNT] = {
#include "cpu/handlers.inc"
};
#undef OP_ENTRY
#undef OP
