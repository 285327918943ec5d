/*
 * Vocabulary of the handler bodies (ops_*.inc).
 *
 * A body is written once: OP(name, text).  It uses only c, i, the register lanes, the semantics of
 * sem.inc and the verbs below; it has no return, takes no address of a local and calls nothing but
 * through SLOW.  The including file chooses what becomes of it (handlers.inc is included once per
 * pass):
 *
 *   pass             OP becomes                     a failed fast check (MISS)      used by
 *   enum             H_name                         -                               handlers.h
 *   generic          s_name(), complete, precise    real access, fault              slow.c
 *   fast, tail       f_name(), tail-called          tail call to the generic one    fast.c
 *   fast, goto       a label of cpu_execute()       jump to the generic one         fast.c
 *
 * A fast body has no side effect before its last check that can fail.
 */
#ifndef OXBOW_CPU_OPS_H
#define OXBOW_CPU_OPS_H

#include "cpu/exec.h"
#include "cpu/handlers.h"
#include "cpu/trace.h"

/* Lane of a fixed register. */
#define OFF8(r) state_reg8_off(r)
#define OFF16(r) state_reg_off((r), 2)
#define OFF32(r) state_reg_off((r), 4)

#define N 8
#include "cpu/sem.inc"
#undef N
#define N 16
#include "cpu/sem.inc"
#undef N
#define N 32
#include "cpu/sem.inc"
#undef N

#define GET8(p) get8(p)
#define GET16(p) get16(p)
#define GET32(p) get32(p)
#define PUT8(p, v) put8((p), (v))
#define PUT16(p, v) put16((p), (v))
#define PUT32(p, v) put32((p), (v))

/* Effective address of the memory operand as a flat linear address. */
#define EA_FLAT ((uint32_t)(i->disp + R32(i->base) + (R32(i->index) << i->scale)))

#endif
