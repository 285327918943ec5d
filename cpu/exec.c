/*
 * The run loop: interrupts, single stepping and deadlines between traces; entry to and exit from
 * them.
 *
 * Invariant of time: while a trace runs, retired = icount + (slice - left) + index of the current
 * instruction.  A trace charges its instructions when it is left, so nothing is counted per
 * instruction. Shortening a slice (cpu_limit, cpu_kick) moves `slice` and `left` together and keeps
 * the difference.
 */
#include "cpu/exec.h"

#include <stdlib.h>

#include "cpu/system.h"
#include "cpu/trace.h"

/* Makes the next charge reach the run loop. */
static void force_exit(struct cpu *c)
{
    c->slice -= c->left + 1;
    c->left = -1;
}

uint64_t cpu_icount(const struct cpu *c)
{
    return c->icount + (uint64_t)(c->slice - c->left) + (c->cur ? c->cur->idx : 0);
}

void cpu_limit(struct cpu *c, uint64_t until)
{
    if (until >= c->until) {
        return;
    }
    c->until = until;
    int64_t slice = (until > c->icount ? (int64_t)(until - c->icount) : 0) - 1;
    if (slice < c->slice) {
        c->left -= c->slice - slice;
        c->slice = slice;
    }
}

void cpu_kick(struct cpu *c)
{
    c->kicked = true;
    force_exit(c);
}

/*
 * Only the flag is touched: everything else belongs to the thread that runs the machine, which
 * looks here between stretches (LOOK_UP), at boundaries of slow instructions and behind each port
 * access, because a port access can cost the host as much as thousands of instructions.
 */
void cpu_interrupt(struct cpu *c)
{
    atomic_store_explicit(&c->interrupted, true, memory_order_release);
}

bool cpu_take_interrupt(struct cpu *c)
{
    return cpu_interrupted(c) &&
           atomic_exchange_explicit(&c->interrupted, false, memory_order_acquire);
}

void cpu_set_intr(struct cpu *c, bool level)
{
    c->intr = level;
    if (level && (c->eflags & FLAG_IF)) {
        force_exit(c);
    }
}

void cpu_nmi(struct cpu *c)
{
    c->nmi_pending = true;
    force_exit(c);
}

bool cpu_has_smm(const struct cpu *c)
{
    return cpu_has(c, FT_SMM);
}

void cpu_smi(struct cpu *c)
{
    if (cpu_has_smm(c)) {
        smm_request(c);
        force_exit(c);
    }
}

void cpu_set_a20(struct cpu *c, bool enabled)
{
    if (c->a20_off != !enabled) {
        c->a20_off = !enabled;
        c->a20_mask = cpu_a20_mask(c);
        tlb_flush_all(c);
        force_exit(c);
    }
}

void cpu_skip_to(struct cpu *c, uint64_t icount)
{
    if (icount > c->icount) {
        c->icount = icount;
    }
}

struct cpu_stats cpu_stats(const struct cpu *c)
{
    struct cpu_stats s = c->st;
    s.icount = cpu_icount(c);
    return s;
}

static bool interrupt_waiting(const struct cpu *c)
{
    return (c->nmi_pending && !c->nmi_blocked) || (c->intr && (c->eflags & FLAG_IF)) ||
           (c->smi_pending && !c->smm);
}

/* --- leaving a trace ------------------------------------------------------------------------- */

uint64_t insn_eip(const struct cpu *c, const struct insn *i)
{
    return (uint32_t)(c->page_eip + insn_trace(i)->pgoff[i->idx]);
}

uint64_t insn_next_eip(const struct cpu *c, const struct insn *i)
{
    return (uint32_t)(c->page_eip + insn_trace(i)->pgoff[i->idx + 1]);
}

static struct insn *leave(struct cpu *c, uint64_t eip, unsigned charge)
{
    c->left -= charge;
    c->cur = NULL;
    c->eip = eip;
    return c->leave;
}

/*
 * This boundary is the run loop's: time is up, something waits, or instructions go one by one.
 * What mostly is all zero is tested at once.
 */
ALWAYS_INLINE bool run_loop_wanted(const struct cpu *c)
{
    uint64_t any = (c->eflags & FLAG_TF) | (c->dr[7] & 0xff) | (uint64_t)c->debug_trap |
                   (uint64_t)(c->step | c->halted | c->shutdown | cpu_interrupted(c));

    return c->left <= 0 || any ||
           ((c->intr | c->nmi_pending | c->smi_pending) && interrupt_waiting(c));
}

/*
 * The boundary at c->eip, the instruction before it charged.  With nothing to do for the run loop
 * this is what the loop would do, run_slice() included, and execution goes on.
 */
static struct insn *resume(struct cpu *c)
{
    if (UNLIKELY(run_loop_wanted(c))) {
        c->cur = NULL;
        return c->leave;
    }
    c->shadow = 0;
    c->eflags &= ~(uint32_t)FLAG_RF;
    return exec_resume(c);
}

struct insn *cpu_leave_next(struct cpu *c, struct insn *i)
{
    leave(c, insn_next_eip(c, i), i->idx + 1u);
    return resume(c);
}

struct insn *cpu_leave_at(struct cpu *c, struct insn *i, uint64_t eip)
{
    leave(c, (uint32_t)eip, i->idx + 1u);
    return resume(c);
}

struct insn *cpu_leave_port(struct cpu *c, struct insn *i)
{
    const struct trace *t = insn_trace(i);

    if (c->left < 0 || cpu_icount(c) + 1 >= c->until) {
        return cpu_leave_next(c, i);
    }
    c->part.port = true;
    if (!cpu_interrupted(c) || i->idx + 1u >= t->n || (c->mode & MODE_ONE)) {
        return insn_next(i);
    }
    c->part.start = t->pgoff[0];
    c->part.done = (uint8_t)(i->idx + 1);
    return leave(c, insn_next_eip(c, i), i->idx + 1u);
}

struct insn *cpu_leave_again(struct cpu *c, struct insn *i)
{
    return leave(c, insn_eip(c, i), i->idx);
}

struct insn *cpu_jump(struct cpu *c, struct insn *i, uint64_t eip)
{
    c->eip = (uint32_t)eip;
    c->left -= i->idx + 1;
    return exec_indirect(c, i);
}

struct insn *cpu_jump_far(struct cpu *c, struct insn *i, uint32_t eip)
{
    leave(c, eip, i->idx + 1u);
    return UNLIKELY(c->left < 0) ? c->leave : exec_resume(c);
}

/* A fault counts as one instruction, so a handler that faults for ever still moves time. */
struct insn *cpu_fault(struct cpu *c, struct insn *i)
{
    uint64_t eip = insn_eip(c, i);
    leave(c, eip, i->idx + 1u);
    intr_exception(c, eip);
    return resume(c);
}

struct insn *cpu_raise(struct cpu *c, struct insn *i, unsigned vector)
{
    exc_set(c, vector);
    return cpu_fault(c, i);
}

struct insn *cpu_raise_err(struct cpu *c, struct insn *i, unsigned vector, uint32_t error)
{
    exc_set_err(c, vector, error);
    return cpu_fault(c, i);
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Takes what is pending at this boundary.  Priorities: SDM vol. 3, table 6-2. */
static void sample_interrupts(struct cpu *c)
{
    if (c->shadow) {
        return;
    }
    if (UNLIKELY(c->smi_pending) && !c->smm) {
        c->icount++;
        smm_enter(c);
        return;
    }
    if (c->nmi_pending && !c->nmi_blocked) {
        c->nmi_pending = false;
        c->halted = false;
        c->icount++;
        intr_nmi(c);
        return;
    }
    if (c->intr && (c->eflags & FLAG_IF)) {
        c->halted = false;
        c->icount++;
        c->st.interrupts++;
        intr_external(c, c->cfg.wiring.inta ? c->cfg.wiring.inta(c->cfg.wiring.ctx) : 0xff);
    }
}

/*
 * Instructions between two looks at what other threads ask for.  Where a stretch ends makes no
 * difference to the guest, as with slices (docs/timing.md).
 */
#define LOOK_UP 32768u

/* What is due behind the code that ran, at a boundary. */
static void debug_traps(struct cpu *c)
{
    if (c->step) {
        c->step = false;
        c->debug_trap |= 1u << 14; /* BS */
    }
    if (UNLIKELY(c->debug_trap) && !c->shutdown && !(c->shadow & SHADOW_DEBUG)) {
        intr_debug_trap(c);
    }
}

/*
 * The trace t, of which `done` instructions were executed, up to c->end, which lies inside it: one
 * by one, as the records of a trace may count on those behind them.  Where t would not have gone on
 * (a branch, a fault, its own bytes overwritten) is a boundary.
 */
static void run_part(struct cpu *c, const struct trace *t, unsigned done)
{
    c->part = (struct trace_part){.start = t->pgoff[0]};
    do {
        c->fell = c->part.port = false;
        cpu_slice_begin(c, 1);
        cpu_execute(c, trace_lookup(c, MODE_ONE));
        cpu_slice_end(c);
        done++;
        if (!c->fell || t->dead || done >= t->n) {
            c->part.done = 0;
            return;
        }
    } while (c->icount < c->end && !cpu_interrupted(c));
    c->part.done = (uint8_t)done;
}

/* On from the middle of a trace to its boundary, or to c->end. */
static void run_rest(struct cpu *c)
{
    struct insn *i = trace_inside(c);
    unsigned done = c->part.done;

    c->part.done = 0;
    if (!i) {
        return;
    }
    if (insn_trace(i)->n - done > c->end - c->icount) {
        run_part(c, insn_trace(i), done);
    } else {
        c->icount -= done; /* the whole trace is charged when it is left */
        cpu_slice_begin(c, 1);
        cpu_execute(c, i);
        cpu_slice_end(c);
    }
    if (!c->part.done) {
        debug_traps(c);
    }
}

/* How long a stretch may be so that the trace in which it ends does not go beyond c->end. */
static int64_t stretch(const struct cpu *c)
{
    uint64_t room = c->end - c->icount;
    uint64_t n = MIN(c->until - c->icount, LOOK_UP);

    return (int64_t)MIN(n, room >= TRACE_MAX ? room - (TRACE_MAX - 1) : 1);
}

/* One stretch of guest code: to the deadline, or one instruction when stepping or watching. */
static void run_slice(struct cpu *c)
{
    struct insn *i;
    bool watching = (c->dr[7] & 0xff) != 0, debug = !(c->shadow & SHADOW_DEBUG);
    bool one = (c->eflags & FLAG_TF) || watching || (c->shadow && interrupt_waiting(c)) ||
               c->debug_trap;

    if (UNLIKELY(watching) && debug && intr_code_breakpoint(c)) {
        c->icount++;
        return;
    }
    c->eflags &= ~(uint32_t)FLAG_RF;

    c->shadow = 0;
    c->step = (c->eflags & FLAG_TF) != 0;
    if (c->end - c->icount < TRACE_MAX) {
        trace_reserve(c);
    }
    cpu_slice_begin(c, one ? 1 : stretch(c));
    i = trace_lookup(c, one ? MODE_ONE : 0);
    if (UNLIKELY(i != c->leave && insn_trace(i)->n > c->end - c->icount)) {
        run_part(c, insn_trace(i), 0);
    } else {
        cpu_execute(c, i);
        cpu_slice_end(c);
    }
    if (!c->part.done) {
        debug_traps(c);
    }
}

bool cpu_at_boundary(struct cpu *c, uint64_t due)
{
    if (c->part.waiting || (c->part.done && !(c->part.port && due <= c->icount))) {
        return false;
    }
    c->part = (struct trace_part){0};
    return true;
}

enum cpu_stop cpu_run(struct cpu *c, uint64_t until)
{
    return cpu_run_within(c, until, UINT64_MAX);
}

enum cpu_stop cpu_run_within(struct cpu *c, uint64_t until, uint64_t end)
{
    c->until = until;
    c->end = end;
    c->kicked = false;
    for (;;) {
        if (c->part.done && !cpu_at_boundary(c, c->until)) {
            if (c->icount >= c->end || cpu_interrupted(c)) {
                return CPU_STOP_DEADLINE;
            }
            if (trace_flush_pending(c)) {
                trace_flush_now(c);
            }
            run_rest(c);
            continue;
        }
        if (c->shutdown) {
            return CPU_STOP_SHUTDOWN;
        }
        if (trace_flush_pending(c)) {
            trace_flush_now(c);
        }
        c->part = (struct trace_part){0};
        if (c->icount >= c->end && !c->shadow && interrupt_waiting(c)) {
            c->part.waiting = true; /* the delivery counts as an instruction */
            return CPU_STOP_DEADLINE;
        }
        sample_interrupts(c);
        if (c->shutdown) {
            return CPU_STOP_SHUTDOWN;
        }
        if (c->kicked || cpu_interrupted(c) || c->icount >= MIN(c->until, c->end)) {
            return CPU_STOP_DEADLINE;
        }
        if (c->halted) {
            return CPU_STOP_HALT;
        }
        run_slice(c);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_remap(void *ctx)
{
    struct cpu *c = ctx;
    tlb_forget_memory(c);
    trace_flush(c);
}

static void on_code_written(void *ctx, uint64_t pa, uint64_t len)
{
    trace_written(ctx, pa, len);
}

static void on_rearm_dirty(void *ctx)
{
    tlb_drop_all_writes(ctx);
}

struct bus_client cpu_bus_client(struct cpu *c)
{
    return (struct bus_client){c, on_remap, on_code_written, on_rearm_dirty};
}

struct cpu *cpu_new(const struct cpu_config *cfg, struct err *e)
{
    struct cpu *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(e, "not enough memory for the CPU");
        return NULL;
    }
    c->cfg = *cfg;
    c->mem = cfg->mem;
    c->io = cfg->io;
    if (!trace_cache_new(c)) {
        err_set(e, "not enough memory for the trace cache");
        cpu_free(c);
        return NULL;
    }
    if (!tlb_init(c)) {
        err_set(e, "not enough memory for the TLB");
        cpu_free(c);
        return NULL;
    }
    if (!cpu_model_select(c, cfg->model, e)) {
        cpu_free(c);
        return NULL;
    }
    c->cfg.model = NULL; /* the caller's string; cpuid.c has parsed it */
    cpu_reset(c);
    return c;
}

void cpu_free(struct cpu *c)
{
    if (c) {
        trace_cache_free(c);
        tlb_free(c);
        free(c);
    }
}
