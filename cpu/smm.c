/*
 * System management mode: entry at SMI#, the state save map, RSM; and INIT#, which waits for RSM.
 *
 * Source: Intel SDM vol. 3 chapter 34 (31 in older editions), tables 34-1 and 34-4 for the map of
 * the P6 family and the state on entry; table 9-1 (INIT).  What the manual calls reserved holds the
 * descriptor caches, at the places known from the P6, and the restart state of an I/O instruction.
 * Processors from the SL enhanced 486 on have it; all use this map.
 * Invariants: the map is physical memory like any other, so RSM takes nothing in it on trust; the
 * A20 gate does not count while c->smm is set; SMIACT# follows c->smm.
 */
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/system.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_sys.def"
#undef SLOWOP

#define DR6_RESET 0xffff0ff0u
#define DR7_RESET 0x400u
#define REVISION 0x00030000u /* I/O instruction restart, SMBASE relocation */
#define SMBASE_ALIGN 0x8000u /* before the P6 */

/* Offsets from SMBASE + 8000h. */
enum {
    MAP = 0x7e00, MAP_SIZE = 0x200,
    MAP_SMBASE = 0x7ef8,
    MAP_REVISION = 0x7efc,
    MAP_IO_RESTART = 0x7f00,   /* word: FFh asks for it */
    MAP_HALT_RESTART = 0x7f02, /* word: bit 0 */
    MAP_IO_EDI = 0x7f04, MAP_IO_ECX = 0x7f08, MAP_IO_ESI = 0x7f0c, MAP_IO_EIP = 0x7f10,
    MAP_CR4 = 0x7f14,
    MAP_IO_KIND = 0x7f18,
    MAP_IDT_LIMIT = 0x7f54, MAP_IDT_BASE = 0x7f58,
    MAP_TR = 0x7f5c, /* descriptor caches: attributes, limit, base */
    MAP_GDT_LIMIT = 0x7f70, MAP_GDT_BASE = 0x7f74,
    MAP_LDTR = 0x7f78,
    MAP_SELECTORS = 0x7fa8, /* ES CS SS DS FS GS */
    MAP_LDTR_SEL = 0x7fc0, MAP_TR_SEL = 0x7fc4,
    MAP_DR7 = 0x7fc8, MAP_DR6 = 0x7fcc,
    MAP_REGS = 0x7fd0, /* EAX ECX EDX EBX ESP EBP ESI EDI */
    MAP_EIP = 0x7ff0, MAP_EFLAGS = 0x7ff4, MAP_CR3 = 0x7ff8, MAP_CR0 = 0x7ffc,
};
static const uint16_t map_cache[SEG_COUNT] = {0x7f84, 0x7f90, 0x7f9c, 0x7f2c, 0x7f38, 0x7f44};

struct map {
    uint8_t b[MAP_SIZE];
};

static uint64_t map_address(const struct cpu *c)
{
    return (uint32_t)(c->smbase + 0x8000 + MAP);
}

static void put(struct map *m, unsigned at, uint64_t v)
{
    put32(m->b + (at - MAP), (uint32_t)v);
}

static uint32_t get(const struct map *m, unsigned at)
{
    return get32(m->b + (at - MAP));
}

/* --- the map -------------------------------------------------------------------------------- */

static void put_cache(struct map *m, unsigned at, unsigned sel_at, const struct segment *s)
{
    put(m, at, s->attr);
    put(m, at + 4, s->limit);
    put(m, at + 8, s->base);
    put(m, sel_at, s->sel);
}

static struct segment get_cache(const struct map *m, unsigned at, unsigned sel_at)
{
    return (struct segment){.attr = get(m, at) & 0xf0ff, .limit = get(m, at + 4),
                            .base = get(m, at + 8), .sel = (uint16_t)get(m, sel_at)};
}

static void save_state(const struct cpu *c, struct map *m)
{
    unsigned n;

    put(m, MAP_CR0, c->cr0);
    put(m, MAP_CR3, c->cr3);
    put(m, MAP_CR4, c->cr4);
    put(m, MAP_EFLAGS, flags_get(c));
    put(m, MAP_EIP, c->eip);
    put(m, MAP_DR6, c->dr[6]);
    put(m, MAP_DR7, c->dr[7]);
    for (n = 0; n < 8; n++) {
        put(m, MAP_REGS + n * 4, reg32(c, n));
    }
    for (n = 0; n < SEG_COUNT; n++) {
        put_cache(m, map_cache[n], MAP_SELECTORS + n * 4, &c->seg[n]);
    }
    put_cache(m, MAP_TR, MAP_TR_SEL, &c->tr);
    put_cache(m, MAP_LDTR, MAP_LDTR_SEL, &c->ldtr);
    put(m, MAP_GDT_BASE, c->gdtr.base);
    put(m, MAP_GDT_LIMIT, c->gdtr.limit);
    put(m, MAP_IDT_BASE, c->idtr.base);
    put(m, MAP_IDT_LIMIT, c->idtr.limit);
    put(m, MAP_SMBASE, c->smbase);
    put(m, MAP_REVISION, REVISION);
    put16(m->b + (MAP_IO_RESTART - MAP), 0);
    put16(m->b + (MAP_HALT_RESTART - MAP), c->halted);
    put(m, MAP_IO_KIND, c->smi_io.kind);
    put(m, MAP_IO_EIP, c->smi_io.eip);
    put(m, MAP_IO_ECX, c->smi_io.ecx);
    put(m, MAP_IO_ESI, c->smi_io.esi);
    put(m, MAP_IO_EDI, c->smi_io.edi);
}

/* Control registers that no instruction could have written, an SMBASE that the model cannot use. */
static bool state_legal(const struct cpu *c, const struct map *m)
{
    uint32_t cr0 = get(m, MAP_CR0);

    return !((cr0 & CR0_PG) && !(cr0 & CR0_PE)) && !((cr0 & CR0_NW) && !(cr0 & CR0_CD)) &&
           !(get(m, MAP_CR4) & ~cpu_cr4_mask(c)) &&
           !(cpu_family(c->model) < 6 && (get(m, MAP_SMBASE) & (SMBASE_ALIGN - 1)));
}

static void load_registers(struct cpu *c, const struct map *m)
{
    unsigned n;

    for (n = 0; n < 8; n++) {
        set_reg32(c, n, get(m, MAP_REGS + n * 4));
    }
    c->eip = get(m, MAP_EIP);
    if ((get(m, MAP_IO_RESTART) & 0xffff) == 0xff && get(m, MAP_IO_KIND) != IO_NONE) {
        c->eip = get(m, MAP_IO_EIP);
        if (get(m, MAP_IO_KIND) == IO_STRING) {
            set_reg32(c, REG_ECX, get(m, MAP_IO_ECX));
            set_reg32(c, REG_ESI, get(m, MAP_IO_ESI));
            set_reg32(c, REG_EDI, get(m, MAP_IO_EDI));
        }
    }
    for (n = 0; n < SEG_COUNT; n++) {
        c->seg[n] = get_cache(m, map_cache[n], MAP_SELECTORS + n * 4);
    }
    c->tr = get_cache(m, MAP_TR, MAP_TR_SEL);
    c->ldtr = get_cache(m, MAP_LDTR, MAP_LDTR_SEL);
    c->gdtr = (struct desc_table){get(m, MAP_GDT_BASE), (uint16_t)get(m, MAP_GDT_LIMIT)};
    c->idtr = (struct desc_table){get(m, MAP_IDT_BASE), (uint16_t)get(m, MAP_IDT_LIMIT)};
    c->smbase = get(m, MAP_SMBASE);
    c->halted = get(m, MAP_HALT_RESTART) & 1;
}

static void load_system(struct cpu *c, const struct map *m)
{
    c->cr0 = get(m, MAP_CR0) & cpu_cr0_mask(c);
    if (cpu_family(c->model) >= 4) {
        c->cr0 |= CR0_ET;
    }
    c->cr3 = get(m, MAP_CR3);
    c->cr4 = get(m, MAP_CR4);
    c->dr[6] = (get(m, MAP_DR6) & 0xffffefffu) | DR6_RESET;
    c->dr[7] = (get(m, MAP_DR7) & 0xffff27ffu) | DR7_RESET;
    flags_put(c, get(m, MAP_EFLAGS) & (c->eflags_mask | 2));
    if (!protected_mode(c)) {
        c->cpl = 0;
    } else {
        c->cpl = v86_mode(c) ? 3 : (c->seg[SEG_SS].attr & ATTR_DPL) >> ATTR_DPL_SHIFT;
    }
}

/* --- entry and exit ------------------------------------------------------------------------- */

void smm_set(struct cpu *c, bool on)
{
    c->smm = on;
    if (c->cfg.wiring.smiact) {
        c->cfg.wiring.smiact(c->cfg.wiring.ctx, on);
    }
}

static void entry_segments(struct cpu *c)
{
    const uint32_t data = ATTR_G | ATTR_P | ATTR_S | TYPE_WRITE | TYPE_ACCESSED;
    unsigned n;

    for (n = 0; n < SEG_COUNT; n++) {
        c->seg[n] = (struct segment){.limit = 0xffffffffu, .attr = data};
    }
    c->seg[SEG_CS].sel = (uint16_t)(c->smbase >> 4);
    c->seg[SEG_CS].base = c->smbase;
}

void smm_enter(struct cpu *c)
{
    struct map m;

    c->smi_pending = false;
    smm_set(c, true); /* the map is in SMRAM already */
    bus_read_block(c->mem, map_address(c), m.b, MAP_SIZE);
    save_state(c, &m);
    bus_write_block(c->mem, map_address(c), m.b, MAP_SIZE);
    c->smi_io.kind = IO_NONE;
    c->halted = false;
    c->nmi_blocked = true;
    flags_put(c, 2);
    c->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
    c->cr4 = 0;
    c->dr[7] = DR7_RESET;
    c->cpl = 0;
    c->eip = 0x8000;
    entry_segments(c);
    tlb_flush_all(c);
    cpu_update_mode(c);
}

/* Everything comes back from the map; a state that cannot be is a shutdown. */
static void smm_leave(struct cpu *c)
{
    struct map m;

    bus_read_block(c->mem, map_address(c), m.b, MAP_SIZE);
    c->nmi_blocked = false;
    if (!state_legal(c, &m)) {
        intr_shutdown(c);
        return;
    }
    load_registers(c, &m);
    load_system(c, &m);
    smm_set(c, false);
    tlb_flush_all(c);
    cpu_update_mode(c);
    if (mmu_is_pae(c->cr0, c->cr4, c->efer) && !mmu_load_pdptes(c, c->cr3)) {
        intr_shutdown(c);
        return;
    }
    if (c->init_pending) {
        cpu_init(c);
    }
}

/* Outside of the mode it is an undefined instruction, at any privilege. */
struct insn *x_rsm(struct cpu *c, struct insn *i)
{
    if (!c->smm) {
        return cpu_raise(c, i, EXC_UD);
    }
    smm_leave(c);
    return cpu_leave_at(c, i, c->eip);
}

/* --- the pin -------------------------------------------------------------------------------- */

static enum io_kind kind_of(struct cpu *c, uint64_t eip)
{
    uint8_t code[DECODE_MAX_LEN];
    unsigned n = 0;
    struct decoded d;

    while (n < sizeof code &&
           cpu_peek(c, c->seg[SEG_CS].base + eip + n, code + n, 1)) {
        n++;
    }
    if (decode(code, n, c->mode & MODE_CODE32 ? CODE32 : CODE16, &d) != DEC_OK) {
        return IO_NONE;
    }
    switch (d.op) {
    case OP_IN:
    case OP_OUT:
        return IO_PLAIN;
    case OP_INS:
    case OP_OUTS:
        return IO_STRING;
    default:
        return IO_NONE;
    }
}

void smm_request(struct cpu *c)
{
    if (c->cur && !c->smm) {
        /* In the middle of an instruction: when it is I/O, the handler may have it done again. */
        uint64_t eip = insn_eip(c, c->cur);

        c->smi_io = (struct smi_io){kind_of(c, eip), (uint32_t)eip, reg32(c, REG_ECX),
                                    reg32(c, REG_ESI), reg32(c, REG_EDI)};
    }
    c->smi_pending = true;
}
