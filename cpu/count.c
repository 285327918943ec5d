/*
 * Counting of executed instructions for -stats.
 *
 * Every record of a trace then has one handler that counts and goes on with what the record would
 * have had, so a run without counting has nothing to skip.
 */
#include "cpu/trace.h"

static unsigned event_of(const struct decoded *d)
{
#define EVENT(name) (CPU_EVENT_##name + 1u)
    switch (d->op) {
    case OP_PUSHF:
        return EVENT(pushf);
    case OP_POPF:
        return EVENT(popf);
    case OP_CLI:
        return EVENT(cli);
    case OP_STI:
        return EVENT(sti);
    case OP_HLT:
        return EVENT(hlt);
    case OP_INT:
    case OP_INT3:
    case OP_INTO:
    case OP_ICEBP:
        return EVENT(int);
    case OP_IRET:
        return EVENT(iret);
    case OP_SYSENTER:
        return EVENT(sysenter);
    case OP_SYSEXIT:
        return EVENT(sysexit);
    case OP_IN:
    case OP_INS:
        return EVENT(in);
    case OP_OUT:
    case OP_OUTS:
        return EVENT(out);
    case OP_MOV_CR:
    case OP_LMSW:
    case OP_CLTS:
        return EVENT(mov_cr);
    case OP_MOV_DR:
        return EVENT(mov_dr);
    case OP_MOV_SREG:
        return d->o[0].kind == OK_SREG ? EVENT(load_seg) : 0;
    case OP_LGDT:
    case OP_LIDT:
    case OP_LLDT:
    case OP_LTR:
        return EVENT(tables);
    case OP_INVLPG:
        return EVENT(invlpg);
    case OP_RDMSR:
    case OP_WRMSR:
        return EVENT(msr);
    case OP_RDTSC:
        return EVENT(rdtsc);
    case OP_CPUID:
        return EVENT(cpuid);
    default:
        return 0;
    }
#undef EVENT
}

/* Operands on the stack that the instruction does not name. */
static unsigned stack_operands(unsigned op)
{
    switch (op) {
    case OP_PUSH:
    case OP_POP:
    case OP_PUSHF:
    case OP_POPF:
    case OP_CALL_NEAR_REL:
    case OP_CALL_NEAR_IND:
    case OP_RET_NEAR:
    case OP_LEAVE:
        return 1;
    case OP_PUSHA:
    case OP_POPA:
        return 8;
    default:
        return 0;
    }
}

void count_insn(struct insn_count *n, const struct decoded *d)
{
    unsigned operands = stack_operands(d->op);

    for (unsigned k = 0; k < d->noperands; k++) {
        unsigned kind = d->o[k].kind;

        operands += (kind == OK_MEM && d->o[k].size) || kind == OK_STRING_SRC ||
                    kind == OK_STRING_DST;
    }
    n->operands = (uint8_t)operands;
    n->event = (uint8_t)event_of(d);
}

void count_trace(struct trace *t)
{
    for (unsigned k = 0; k < t->n; k++) {
        t->count[k].exec = t->rec[k].exec;
        t->rec[k].exec = counting_handler();
    }
}
