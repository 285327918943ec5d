/*
 * Guest memory as the generic layer sees it: complete, precise, with faults by return value.
 *
 * Every function returns false after putting the exception into c->exc; the caller then does
 * `return cpu_fault(c, i)`.  Nothing is changed in that case.  Linear addresses are truncated to 32
 * bits outside long mode.  Implemented in access.c (TLB hits, page crossing, MMIO, code lines) and
 * mmu.c (page walks).  The fast paths of the hot handlers are in ops.h.
 */
#ifndef OXBOW_CPU_ACCESS_H
#define OXBOW_CPU_ACCESS_H

#include "cpu/insn.h"
#include "cpu/state.h"

/* Sets c->exc; always returns false. */
bool exc_set(struct cpu *c, unsigned vector);
bool exc_set_err(struct cpu *c, unsigned vector, uint32_t error);

enum access { ACC_READ, ACC_WRITE, ACC_RMW, ACC_FETCH };

/* --- by linear address, current privilege ------------------------------------------------- */

/* size 1, 2, 4, 8; any alignment, may cross pages. */
bool lin_read(struct cpu *c, uint64_t la, unsigned size, uint64_t *v);
bool lin_write(struct cpu *c, uint64_t la, unsigned size, uint64_t v);
/* Blocks of up to 4096 bytes (x87, FXSAVE, 16-byte operands).  A write is all or nothing. */
bool lin_read_bytes(struct cpu *c, uint64_t la, void *to, unsigned n);
bool lin_write_bytes(struct cpu *c, uint64_t la, const void *from, unsigned n);
/*
 * Where la is when its page can be written but holds code: lin_write_bytes() inside it cannot fail.
 * Or NULL.
 */
uint8_t *lin_code_page(struct cpu *c, uint64_t la);
/* Checks that [la, la + n) can be read (written) at the current privilege; raises #PF if not. */
bool lin_probe(struct cpu *c, uint64_t la, unsigned n, bool write);

/* Supervisor accesses whatever the CPL: descriptor tables, TSS, interrupt frames. */
bool sys_read(struct cpu *c, uint64_t la, unsigned size, uint64_t *v);
bool sys_write(struct cpu *c, uint64_t la, unsigned size, uint64_t v);

/*
 * Read-modify-write: begin reads (write permission checked, nothing changed), end stores and cannot
 * fail.
 */
struct rmw {
    uint64_t la;
    uint8_t *host; /* direct when not NULL */
    uint32_t *code; /* with host: line mask to look at, or NULL */
    uint64_t pa;    /* with code */
    unsigned size;
};
bool rmw_begin(struct cpu *c, uint64_t la, unsigned size, struct rmw *m, uint64_t *v);
void rmw_end(struct cpu *c, const struct rmw *m, uint64_t v);

/* --- by segment and offset ------------------------------------------------------------------- */

/*
 * Checks an access of n bytes at seg:ea (limit, type, null selector) and gives the linear
 * address.  #GP(0), or #SS(0) for SS.
 */
bool seg_linear(struct cpu *c, unsigned seg, uint64_t ea, unsigned n, enum access acc,
                uint64_t *la);
bool mem_read(struct cpu *c, unsigned seg, uint64_t ea, unsigned size, uint64_t *v);
bool mem_write(struct cpu *c, unsigned seg, uint64_t ea, unsigned size, uint64_t v);
bool mem_read_bytes(struct cpu *c, unsigned seg, uint64_t ea, void *to, unsigned n);
bool mem_write_bytes(struct cpu *c, unsigned seg, uint64_t ea, const void *from, unsigned n);

/*
 * Operands of several values that are accessed one after the other (far pointers, descriptor table
 * registers, x87 environments): each wraps at 64 KB (4 GB) and is checked by itself.  A write is
 * all or nothing.
 */
struct mem_parts {
    uint8_t n1, size1, n2, size2; /* n1 values of size1 bytes, then n2 of size2 */
};
bool mem_read_parts(struct cpu *c, const struct insn *i, void *to, struct mem_parts p);
bool mem_write_parts(struct cpu *c, const struct insn *i, const void *from, struct mem_parts p);

/* Stack through SS:eSP with the current stack size; push and pop move eSP only on success. */
bool stack_push(struct cpu *c, unsigned size, uint64_t v);
bool stack_pop(struct cpu *c, unsigned size, uint64_t *v);
/* The value `n` bytes above the stack top without moving it. */
bool stack_peek(struct cpu *c, uint64_t n, unsigned size, uint64_t *v);
ALWAYS_INLINE void stack_set(struct cpu *c, uint64_t esp)
{
    c->r.q[REG_ESP] = (c->r.q[REG_ESP] & ~(uint64_t)c->sp_mask & 0xffffffffu) | (esp & c->sp_mask);
}

/* --- operands of a record ------------------------------------------------------------------- */

ALWAYS_INLINE uint32_t insn_ea(const struct cpu *c, const struct insn *i)
{
    uint32_t ea = i->disp + R32(i->base) + (R32(i->index) << i->scale);
    return i->a16 ? ea & 0xffff : ea;
}

/* The E operand: register at byte offset `off` (for its size) or the memory operand. */
bool insn_read(struct cpu *c, const struct insn *i, unsigned off, unsigned size, uint64_t *v);
/* Register by byte offset as the translator stores them. */
uint64_t insn_reg(const struct cpu *c, unsigned off, unsigned size);

/*
 * Where a direct access of `size` bytes at la is, NULL: look closer.  Nothing else is to be
 * checked.
 */
ALWAYS_INLINE uint8_t *tlb_read_hit(const struct tlb *t, uint32_t la, unsigned size)
{
    uintptr_t p = t->rd[la >> PAGE_SHIFT];

    return LIKELY(p && (la & PAGE_MASK) <= PAGE_SIZE - size) ? (uint8_t *)(p + la) : NULL;
}

ALWAYS_INLINE uint8_t *tlb_write_hit(const struct tlb *t, uint32_t la, unsigned size)
{
    uintptr_t p = t->wr[la >> PAGE_SHIFT];

    return LIKELY(p && (la & PAGE_MASK) <= PAGE_SIZE - size) ? (uint8_t *)(p + la) : NULL;
}

/* --- translation (mmu.c) ---------------------------------------------------------------------- */

/*
 * Translates la for the given access and privilege; sets A and D bits; on failure sets #PF.
 * Fills the TLB of the current privilege when `user` equals it.
 */
bool mmu_translate(struct cpu *c, uint64_t la, enum access acc, bool user, uint64_t *pa);
/* Same for instruction fetch; fills and returns the code entry, NULL with #PF set. */
const struct itlb_entry *mmu_fetch(struct cpu *c, uint64_t la);
/* No side effects, for debuggers. */
bool mmu_peek(const struct cpu *c, uint64_t la, uint64_t *pa);

void tlb_flush_all(struct cpu *c);        /* everything, both privileges */
void tlb_flush_nonglobal(struct cpu *c);  /* CR3 load */
void tlb_flush_page(struct cpu *c, uint64_t la);
/* The page at host has become a code page: cached write permission to it must go. */
void tlb_drop_writes(struct cpu *c, const uint8_t *host);
void tlb_drop_all_writes(struct cpu *c);  /* dirty tracking was rearmed */
bool tlb_init(struct cpu *c);
void tlb_free(struct cpu *c);
/* The map of physical memory has changed: nothing that was learned from it holds. */
void tlb_forget_memory(struct cpu *c);
/*
 * Chooses c->tlb by CPL, alignment checking and data breakpoints; call after any of these change.
 */
void tlb_select(struct cpu *c);

#endif
