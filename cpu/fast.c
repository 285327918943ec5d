/*
 * Dispatch: what records hold in `exec`, and the run through them until a handler leaves.
 *
 * DISPATCH_TAIL  every handler is a function that ends in a jump to the next one (musttail, or a
 *                sibling call that the compiler makes at -O2: tests/lint/tailcalls.sh proves it)
 * DISPATCH_GOTO  one function, one label per handler; the shape for WebAssembly
 * otherwise      a loop over the generic layer: any compiler, sanitizers
 */
#include "cpu/ops.h"
#include "cpu/specialise.h"

#if defined(DISPATCH_TAIL)
#include "cpu/fast_tail.h"
#elif defined(DISPATCH_GOTO)
#include "cpu/pass_fast.h"
#endif

#if defined(DISPATCH_TAIL) || defined(DISPATCH_GOTO)
#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/slowops.def"
#undef SLOWOP
#endif

#if defined(DISPATCH_TAIL)

NOINLINE void fast_miss(struct cpu *c, struct insn *i)
{
    c->cur = i;
    i = slow_table[i->id](c, i);
    GO
}

NOINLINE void fast_event(struct cpu *c, struct insn *i)
{
    SLOW(exec_event)
}

NOINLINE void fast_lookup(struct cpu *c, struct insn *i)
{
    SLOW(exec_indirect)
}

static void fast_counted(struct cpu *c, struct insn *i)
{
    op_fn exec = insn_counted(c, i);
    MUSTTAIL return exec(c, i);
}

op_fn counting_handler(void)
{
    return fast_counted;
}

#define OP(name, ...) OP_FUNC(name, __VA_ARGS__)
#define OP_FUNC(name, ...)                                                                     \
    static void f_##name(struct cpu *c UNUSED, struct insn *i UNUSED) { __VA_ARGS__ }
#include "cpu/handlers.inc"
#undef OP
#undef OP_FUNC

/* Generic layer only (differential tests): every record but `exit` goes the slow way. */
op_fn fast_handler(unsigned id)
{
#define OP(name, ...) OP_ENTRY(name)
#define OP_ENTRY(name) [H_##name] = f_##name,
    static const op_fn table[H_COUNT] = {
#include "cpu/handlers.inc"
    };
#undef OP_ENTRY
#undef OP
    return table[id];
}

op_fn generic_handler(unsigned id)
{
    return id == H_exit ? f_exit : fast_miss;
}

#if defined(FAST_LAYER)
op_fn fast_special(unsigned unit, unsigned n)
{
    static const op_fn *const units[] = {fast_unit0, fast_unit1, fast_unit2, fast_unit3,
                                         fast_unit4, fast_unit5, fast_unit6, fast_unit7};
    return units[unit][n];
}
#endif

void cpu_execute(struct cpu *c, struct insn *i)
{
    i->exec(c, i);
    c->cur = NULL;
}

#elif defined(DISPATCH_GOTO)

#define GO goto *i->exec;
#define GO_ON(n)                                                                               \
    {                                                                                          \
        i += (n);                                                                              \
        GO                                                                                     \
    }
#define GO_TO(to)                                                                              \
    {                                                                                          \
        i = (to);                                                                              \
        GO                                                                                     \
    }
#define EXIT goto done;
#define MISS goto miss;
#define EVENT goto event;
#define LOOKUP goto lookup;

/* Called with i == NULL it only hands out the labels (they are not visible outside). */
static const void *const *run(struct cpu *c, struct insn *i)
{
#define OP(name, ...) OP_ENTRY(name)
#define OP_ENTRY(name) [H_##name] = &&L_##name,
#define FAST(name, ...) &&L_g_##name,
    static const void *const labels[] = {
#include "cpu/handlers.inc"
        [H_COUNT] = &&miss,
        [H_COUNT + 1] = &&counted,
#if defined(FAST_LAYER)
#include "cpu/fastgen_goto.inc"
#endif
    };
#undef FAST
#undef OP_ENTRY
#undef OP
    if (!i) {
        return labels;
    }
    GO
miss:
    c->cur = i;
    i = slow_table[i->id](c, i);
    GO
counted:
    goto *insn_counted(c, i);
event:
    SLOW(exec_event)
lookup:
    SLOW(exec_indirect)
#define OP(name, ...) OP_LABEL(name, __VA_ARGS__)
#define OP_LABEL(name, ...) L_##name : { __VA_ARGS__ }
#include "cpu/handlers.inc"
#undef OP
#undef OP_LABEL
#if defined(FAST_LAYER)
#define FAST(name, ...) L_g_##name : { __VA_ARGS__ }
#include "cpu/fastgen_goto.inc"
#undef FAST
#endif
done:
    return NULL;
}

op_fn fast_handler(unsigned id)
{
    return run(NULL, NULL)[id];
}

op_fn generic_handler(unsigned id)
{
    return run(NULL, NULL)[id == H_exit ? (unsigned)H_exit : (unsigned)H_COUNT];
}

op_fn fast_special(unsigned unit UNUSED, unsigned n)
{
    return run(NULL, NULL)[H_COUNT + 2 + n];
}

op_fn counting_handler(void)
{
    return run(NULL, NULL)[H_COUNT + 1];
}

void cpu_execute(struct cpu *c, struct insn *i)
{
    run(c, i);
    c->cur = NULL;
}

#else

op_fn fast_handler(unsigned id)
{
    return slow_table[id];
}

op_fn generic_handler(unsigned id)
{
    return slow_table[id];
}

static struct insn *slow_counted(struct cpu *c, struct insn *i)
{
    return insn_counted(c, i)(c, i);
}

op_fn counting_handler(void)
{
    return slow_counted;
}

void cpu_execute(struct cpu *c, struct insn *i)
{
    while (i != c->leave) {
        c->cur = i;
        i = i->exec(c, i);
    }
    c->cur = NULL;
}

#endif
