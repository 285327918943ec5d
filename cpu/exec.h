/*
 * What slow handlers and system code may ask of the run loop and the trace cache.
 *
 * A slow handler is `struct insn *x_name(struct cpu *c, struct insn *i)`.  While it runs,
 * c->cur == i.  It ends with exactly one of:
 *   return insn_next(i);           nothing but registers, flags, memory changed: go on in the trace
 *   return cpu_fault(c, i);        c->exc was set by a failed access: deliver at this instruction
 *   return cpu_raise(c, i, ...);   the same in one go
 *   return cpu_leave_next(c, i);   done, but something the trace depends on may have changed
 *                                  (mode, paging, interrupt flag): a boundary, then the code at
 *                                  the next EIP, looked up anew.  The run loop is entered only
 *                                  when it has something to do
 *   return cpu_leave_at(c, i, eip) done, control went elsewhere (far transfers): CS is loaded
 *   return cpu_jump(c, i, eip);    done, near indirect jump: looks the target up without leaving
 * Instructions whose table row has AT_END must use one of the last three (or a fault).
 */
#ifndef OXBOW_CPU_EXEC_H
#define OXBOW_CPU_EXEC_H

#include "cpu/access.h"
#include "cpu/flags.h"
#include "cpu/insn.h"
#include "cpu/state.h"

ALWAYS_INLINE struct insn *insn_next(struct insn *i)
{
    return i + 1;
}

ALWAYS_INLINE bool cpu_interrupted(const struct cpu *c)
{
    return atomic_load_explicit(&c->interrupted, memory_order_relaxed);
}

/*
 * Around cpu_execute(): at least n instructions, to the first trace boundary where they are done.
 */
ALWAYS_INLINE void cpu_slice_begin(struct cpu *c, int64_t n)
{
    c->slice = c->left = n - 1;
}

ALWAYS_INLINE void cpu_slice_end(struct cpu *c)
{
    c->icount += (uint64_t)(c->slice - c->left);
    c->slice = c->left = -1;
}

struct insn *cpu_fault(struct cpu *c, struct insn *i);
struct insn *cpu_raise(struct cpu *c, struct insn *i, unsigned vector);
struct insn *cpu_raise_err(struct cpu *c, struct insn *i, unsigned vector, uint32_t error);
struct insn *cpu_leave_next(struct cpu *c, struct insn *i);
struct insn *cpu_leave_at(struct cpu *c, struct insn *i, uint64_t eip);
struct insn *cpu_jump(struct cpu *c, struct insn *i, uint64_t eip);
/*
 * Behind a port access that took c->left to its end: a boundary if something is due or a device
 * asked for the run loop, but not because the run is cut here.
 */
struct insn *cpu_leave_port(struct cpu *c, struct insn *i);
/* Leave with this instruction not completed, to be executed again (REP in progress). */
struct insn *cpu_leave_again(struct cpu *c, struct insn *i);

/* EIP of the record's instruction, and of the one behind it (truncated to the code size). */
uint64_t insn_eip(const struct cpu *c, const struct insn *i);
uint64_t insn_next_eip(const struct cpu *c, const struct insn *i);

/* --- interrupts and exceptions (intr.c) ----------------------------------------------------- */

/*
 * Delivers c->exc with the fault frame at `eip`; handles double and triple faults.  Leaves
 * c->eip/CS/SS at the handler.  Called outside traces (cpu_fault does it for handlers).
 */
void intr_exception(struct cpu *c, uint64_t eip);
/* The processor stops until reset: nothing can be delivered any more. */
void intr_shutdown(struct cpu *c);
/* External interrupt, NMI; c->eip is the return address. */
void intr_external(struct cpu *c, uint8_t vector);
void intr_nmi(struct cpu *c);
/* Delivers the trap #DB for c->debug_trap (T bit of a TSS, data breakpoints), if any. */
void intr_debug_trap(struct cpu *c);
/*
 * DR6 of a debug exception: B0 to B3 are those that it met, and only they; what else it tells stays
 * until software clears it.
 */
void intr_debug_status(struct cpu *c, uint32_t met);
/*
 * Delivers #DB when a code breakpoint is at c->eip and RF is clear; ask before each MODE_ONE trace.
 */
bool intr_code_breakpoint(struct cpu *c);
/*
 * INT n, INT3, INTO, ICEBP from a handler: return address eip.  False: c->exc holds the fault of
 * the delivery.  On success CS, SS, flags and c->eip are the handler's.
 */
enum intr_source { INTR_EXTERNAL, INTR_SOFT, INTR_FAULT };
bool intr_deliver(struct cpu *c, uint8_t vector, enum intr_source src, bool has_error,
                  uint32_t error, uint64_t eip);

/* --- system management mode (smm.c) ----------------------------------------------------------- */

/* SMI# was asserted: latch it, with the I/O instruction that it came in. */
void smm_request(struct cpu *c);
/* Takes the latched SMI at c->eip, between instructions. */
void smm_enter(struct cpu *c);
/* Sets c->smm and SMIACT#; the caller updates the mode. */
void smm_set(struct cpu *c, bool on);

/* --- segments (seg.c) ------------------------------------------------------------------------ */

/* Recompute derived fields of one segment, the mode word, sp_mask. */
void seg_update(struct cpu *c, unsigned seg);
/* Loads as real and V86 mode do. */
void seg_load_real(struct cpu *c, unsigned seg, uint16_t sel);
/* Data segments and SS in whatever mode the CPU is; faults into c->exc.  Not CS. */
bool seg_load(struct cpu *c, unsigned seg, uint16_t sel);
/* After writes to CR0, CR4, EFER, EFLAGS.VM or .AC, segment loads, resets, snapshot loads. */
void cpu_update_mode(struct cpu *c);
/* EFLAGS write that respects `mask`; keeps reserved bits legal, updates what depends on it. */
void cpu_set_eflags(struct cpu *c, uint32_t image, uint32_t mask);

/* --- tasks (task.c) -------------------------------------------------------------------------- */

/* task_enter(), declared in system.h. */
enum task_reason { TASK_CALL, TASK_JMP, TASK_IRET, TASK_INT };

/* --- trace cache (trace.c) ------------------------------------------------------------------- */

/* Everything decoded is gone (map changes, CPU reset, model changes). */
void trace_flush(struct cpu *c);
/* [pa, pa + len) was written: traces that overlap its 128-byte lines become stale at once. */
void trace_written(struct cpu *c, uint64_t pa, uint64_t len);
/* What links and jump-cache entries of the present translations, CS and mode are marked with. */
ALWAYS_INLINE void trace_set_gen(struct cpu *c)
{
    c->link_gen = c->tlb->gen << CONTEXT_BITS | c->code_context;
    c->link_key = (uint64_t)c->link_gen << 32;
}
/* A generation that nothing is marked with. */
uint32_t trace_new_gen(struct cpu *c);
/*
 * Cross-page links and the jump cache may be wrong from now on; the TLB does it for itself (mmu.c).
 */
void trace_unlink(struct cpu *c);

/* CPU model data (cpuid.c).  spec: "model[,+feature,-feature...]" or NULL for the default. */
bool cpu_model_select(struct cpu *c, const char *spec, struct err *e);
bool cpu_has(const struct cpu *c, unsigned feature); /* enum feature of decode.h */
void cpu_cpuid(const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4]);

#endif
