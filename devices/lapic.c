/*
 * Local APIC (Intel SDM vol. 3, chapter 8: xAPIC), with the registers and version of the Pentium 4,
 * a superset of what the P6 and Pentium families have.
 *
 * Invariants: the output is a function of IRR, ISR, TPR, the ExtINT sources and the enables; the
 * timer's count is computed from the tick at which it was started, an event exists only while an
 * unmasked timer is going to expire.  The polarity bits of LINT0/1 hold what software wrote; a line
 * here is asserted or not, whatever its voltage would be.
 */
#include "devices/lapic.h"

#include <stdio.h>

enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_RRD = 0x0c,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR_LOW = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32,
    REG_INITIAL = 0x38,
    REG_CURRENT = 0x39,
    REG_DIVIDE = 0x3e
};

enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };

enum {
    LVT_REMOTE_IRR = 0x4000,
    LVT_LEVEL = 0x8000,
    LVT_MASKED = 0x10000,
    LVT_PERIODIC = 0x20000,
    SVR_ENABLE = 0x100,
    SVR_BITS = 0x3ff,
    ICR_BITS = 0xccfff,
    ICR_LOGICAL = 0x800,
    ICR_ASSERT = 0x4000,
    ICR_LEVEL = 0x8000,
    ESR_SEND_ILLEGAL = 0x20,
    ESR_RECEIVED_ILLEGAL = 0x40,
    ESR_ILLEGAL_REGISTER = 0x80,
    FIRST_VECTOR = 16,
    BROADCAST = 0xff,
    VERSION = (LVTS - 1) << 16 | 0x14,
    WINDOW = 0x1000
};

enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

static const uint32_t lvt_bits[LVTS] = {0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};

struct lapic {
    struct device dev;
    struct irq_line intr;
    void (*nmi)(void *to);
    void (*smi)(void *to);
    void (*init)(void *to);
    void (*eoi)(void *to, uint8_t vector);
    void *to;
    struct clock bus;
    int window;
    struct event expiry;
    char expiry_name[32];
    bool intr_level; /* as last driven */

    uint64_t base; /* IA32_APIC_BASE */
    uint8_t id, tpr, ldr, dfr;
    uint16_t svr;
    uint32_t isr[8], tmr[8], irr[8];
    uint8_t esr, errors; /* as software reads it; gathered since it was last written */
    uint32_t icr_low;
    uint8_t icr_dest;
    uint32_t lvt[LVTS];
    bool lint[2];        /* levels at the pins */
    bool extint;         /* an ExtINT message waits for its acknowledge */
    uint32_t initial;
    uint8_t divide;
    uint64_t started;    /* tick at which the timer would have shown `initial` */
    bool counting;
};

/* --- sets of vectors ------------------------------------------------------------------------- */

static bool vector_in(const uint32_t *set, unsigned v)
{
    return set[v >> 5] >> (v & 31) & 1;
}

static void vector_put(uint32_t *set, unsigned v, bool on)
{
    uint32_t bit = 1u << (v & 31);

    set[v >> 5] = on ? set[v >> 5] | bit : set[v >> 5] & ~bit;
}

/* The highest vector of a set, or -1. */
static int vector_top(const uint32_t *set)
{
    int n;

    for (n = 7; n >= 0; n--) {
        if (set[n]) {
            return n * 32 + 31 - __builtin_clz(set[n]);
        }
    }
    return -1;
}

/* --- priorities and output ------------------------------------------------------------------- */

static bool hardware_enabled(const struct lapic *l)
{
    return (l->base & LAPIC_BASE_ENABLE) != 0;
}

static bool software_enabled(const struct lapic *l)
{
    return (l->svr & SVR_ENABLE) != 0;
}

static unsigned mode_of(uint32_t lvt)
{
    return lvt >> 8 & 7;
}

static unsigned processor_priority(const struct lapic *l)
{
    int v = vector_top(l->isr);

    return v < 0 || (l->tpr >> 4) >= (v >> 4) ? l->tpr : (unsigned)v & 0xf0;
}

/* Arbitration priority: like the processor's, with requests counted in. */
static unsigned arbitration_priority(const struct lapic *l)
{
    int irr = vector_top(l->irr), isr = vector_top(l->isr);
    unsigned tpr = l->tpr >> 4, request = irr < 0 ? 0 : (unsigned)irr >> 4;
    unsigned service = isr < 0 ? 0 : (unsigned)isr >> 4;

    if (tpr >= request && tpr > service) {
        return l->tpr;
    }
    return MAX(tpr & service, request) << 4;
}

/* The request that may interrupt the processor now, or -1. */
static int deliverable(const struct lapic *l)
{
    int v = vector_top(l->irr);

    if (v < 0 || !software_enabled(l) || (unsigned)v >> 4 <= processor_priority(l) >> 4) {
        return -1;
    }
    return v;
}

static bool lint_is_extint(const struct lapic *l, unsigned n)
{
    uint32_t lvt = l->lvt[LVT_LINT0 + n];

    return !(lvt & LVT_MASKED) && mode_of(lvt) == APIC_EXTINT;
}

static bool external_waiting(const struct lapic *l)
{
    return l->extint || (l->lint[0] && lint_is_extint(l, 0))
           || (l->lint[1] && lint_is_extint(l, 1));
}

static bool output(const struct lapic *l)
{
    return hardware_enabled(l) ? external_waiting(l) || deliverable(l) >= 0 : l->lint[0];
}

static void update(struct lapic *l)
{
    bool level = output(l);

    if (level != l->intr_level) {
        l->intr_level = level;
        irq_set(&l->intr, level);
    }
}

/* --- accepting interrupts -------------------------------------------------------------------- */

static void report_error(struct lapic *l, unsigned bit);

static void accept(struct lapic *l, unsigned vector, bool level)
{
    if (vector < FIRST_VECTOR) {
        report_error(l, ESR_RECEIVED_ILLEGAL);
        return;
    }
    vector_put(l->irr, vector, true);
    vector_put(l->tmr, vector, level);
    update(l);
}

/* Software disabled entries are masked, so a local interrupt needs no other check. */
static void accept_local(struct lapic *l, unsigned entry)
{
    if (!(l->lvt[entry] & LVT_MASKED)) {
        accept(l, l->lvt[entry] & 0xff, false);
    }
}

static void report_error(struct lapic *l, unsigned bit)
{
    if (!(l->errors & bit)) {
        l->errors |= (uint8_t)bit;
        accept_local(l, LVT_ERROR);
    }
}

static bool addressed(const struct lapic *l, unsigned dest, bool logical)
{
    if (dest == BROADCAST) {
        return true;
    }
    if (!logical) {
        return dest == l->id;
    }
    if (l->dfr == 0xf0) { /* flat model */
        return (dest & l->ldr) != 0;
    }
    return (dest >> 4 == l->ldr >> 4 || dest >> 4 == 15) && (dest & l->ldr & 15);
}

/* Delivery modes that say more than "this vector". */
static bool deliver(struct lapic *l, unsigned mode, unsigned vector, bool level)
{
    switch (mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (!software_enabled(l)) {
            return false;
        }
        accept(l, vector, level);
        return true;
    case APIC_NMI:
        l->nmi(l->to);
        return true;
    case APIC_SMI:
        l->smi(l->to);
        return true;
    case APIC_INIT:
        l->init(l->to);
        return true;
    case APIC_EXTINT:
        l->extint = true;
        update(l);
        return true;
    default: /* STARTUP: this processor does not wait for one */
        return true;
    }
}

bool lapic_message(struct device *d, const struct apic_message *msg)
{
    struct lapic *l = (struct lapic *)(void *)d;

    return hardware_enabled(l) && addressed(l, msg->dest, msg->logical)
           && deliver(l, msg->mode, msg->vector, msg->level);
}

bool lapic_inta(struct device *d, uint8_t *vector)
{
    struct lapic *l = (struct lapic *)(void *)d;
    int v;

    if (!hardware_enabled(l)) {
        return false;
    }
    v = deliverable(l);
    if (v >= 0) {
        vector_put(l->irr, (unsigned)v, false);
        vector_put(l->isr, (unsigned)v, true);
        *vector = (uint8_t)v;
    } else if (external_waiting(l) || !software_enabled(l)) {
        l->extint = false;
    } else {
        v = l->svr & 0xff; /* spurious: sets no in-service bit and wants no EOI */
        *vector = (uint8_t)v;
    }
    update(l);
    return v >= 0;
}

/* --- pins ------------------------------------------------------------------------------------ */

static void lint_changed(struct lapic *l, unsigned n, bool rising)
{
    uint32_t *lvt = &l->lvt[LVT_LINT0 + n];

    if (*lvt & LVT_MASKED) {
        return;
    }
    if (mode_of(*lvt) == APIC_EXTINT) {
        update(l);
    } else if (mode_of(*lvt) == APIC_FIXED && (*lvt & LVT_LEVEL)) {
        if (l->lint[n] && !(*lvt & LVT_REMOTE_IRR)) {
            *lvt |= LVT_REMOTE_IRR;
            accept(l, *lvt & 0xff, true);
        }
    } else if (rising) {
        deliver(l, mode_of(*lvt), *lvt & 0xff, false);
    }
}

void lapic_lint(void *to, unsigned n, bool level)
{
    struct lapic *l = to;
    bool rising = level && !l->lint[n];

    l->lint[n] = level;
    if (hardware_enabled(l)) {
        lint_changed(l, n, rising);
    } else if (n == 0) {
        update(l);
    } else if (rising) {
        l->nmi(l->to);
    }
}

/* --- timer ----------------------------------------------------------------------------------- */

static unsigned timer_shift(const struct lapic *l)
{
    return ((l->divide & 3u) + (l->divide >> 1 & 4u) + 1) & 7;
}

static uint64_t bus_ticks(const struct lapic *l)
{
    const struct sched *s = l->dev.env->sched;

    return clock_ticks(s, l->bus, sched_now(s));
}

static uint64_t timer_elapsed(const struct lapic *l)
{
    return (bus_ticks(l) - l->started) >> timer_shift(l);
}

static bool timer_periodic(const struct lapic *l)
{
    return (l->lvt[LVT_TIMER] & LVT_PERIODIC) != 0;
}

static uint32_t timer_current(const struct lapic *l)
{
    uint64_t elapsed;

    if (!l->counting) {
        return 0;
    }
    elapsed = timer_elapsed(l);
    if (timer_periodic(l)) {
        return l->initial - (uint32_t)(elapsed % l->initial);
    }
    return elapsed >= l->initial ? 0 : l->initial - (uint32_t)elapsed;
}

/* Makes `count` the value at this moment. */
static void timer_rebase(struct lapic *l, uint32_t count)
{
    l->counting = count != 0;
    l->started = bus_ticks(l) - ((uint64_t)(l->initial - count) << timer_shift(l));
}

static void timer_arm(struct lapic *l)
{
    struct sched *s = l->dev.env->sched;
    uint64_t periods;

    if (!l->counting || (l->lvt[LVT_TIMER] & LVT_MASKED)) {
        event_cancel(s, &l->expiry);
        return;
    }
    periods = timer_elapsed(l) / l->initial + 1;
    if (periods > 1 && !timer_periodic(l)) {
        event_cancel(s, &l->expiry);
        return;
    }
    event_at(s, &l->expiry,
             clock_icount(s, l->bus, l->started + (periods * l->initial << timer_shift(l))));
}

static void timer_expired(void *arg, uint64_t now UNUSED)
{
    struct lapic *l = arg;

    accept_local(l, LVT_TIMER);
    timer_arm(l);
}

/* --- registers ------------------------------------------------------------------------------- */

static void end_of_interrupt(struct lapic *l)
{
    int v = vector_top(l->isr);
    unsigned n;

    if (v < 0) {
        return;
    }
    vector_put(l->isr, (unsigned)v, false);
    if (vector_in(l->tmr, (unsigned)v)) {
        l->eoi(l->to, (uint8_t)v);
        for (n = 0; n < 2; n++) {
            uint32_t *lvt = &l->lvt[LVT_LINT0 + n];

            if ((*lvt & LVT_REMOTE_IRR) && (*lvt & 0xff) == (uint32_t)v) {
                *lvt &= ~(uint32_t)LVT_REMOTE_IRR;
                lint_changed(l, n, false);
            }
        }
    }
    update(l);
}

static void write_lvt(struct lapic *l, unsigned entry, uint32_t val)
{
    uint32_t count = timer_current(l), old = l->lvt[entry];

    val &= lvt_bits[entry];
    if (!software_enabled(l)) {
        val |= LVT_MASKED;
    }
    if (val & LVT_LEVEL) {
        val |= old & LVT_REMOTE_IRR;
    }
    l->lvt[entry] = val;
    if (entry == LVT_TIMER) {
        if ((val ^ old) & LVT_PERIODIC) {
            timer_rebase(l, count);
        }
        timer_arm(l);
    } else if (entry == LVT_LINT0 || entry == LVT_LINT1) {
        lint_changed(l, entry - LVT_LINT0, false);
        update(l);
    }
}

static void write_svr(struct lapic *l, uint32_t val)
{
    unsigned n;

    l->svr = val & SVR_BITS;
    if (!software_enabled(l)) {
        for (n = 0; n < LVTS; n++) {
            l->lvt[n] |= LVT_MASKED;
        }
        timer_arm(l);
    }
    update(l);
}

static void send_ipi(struct lapic *l)
{
    unsigned mode = mode_of(l->icr_low), vector = l->icr_low & 0xff;
    enum shorthand to = l->icr_low >> 18 & 3;
    bool here = to == TO_DESTINATION ? addressed(l, l->icr_dest, l->icr_low & ICR_LOGICAL)
                                     : to != TO_OTHERS;

    if ((mode == APIC_FIXED || mode == APIC_LOWEST) && vector < FIRST_VECTOR) {
        report_error(l, ESR_SEND_ILLEGAL);
        return;
    }
    if (mode == APIC_INIT && (l->icr_low & ICR_LEVEL) && !(l->icr_low & ICR_ASSERT)) {
        return; /* de-assertion only sets arbitration numbers */
    }
    /* A processor may send itself nothing but interrupts through the shorthands. */
    if (here && mode != APIC_EXTINT && (to == TO_DESTINATION || mode <= APIC_LOWEST)) {
        deliver(l, mode, vector, false);
    }
}

static uint32_t read_register(struct lapic *l, unsigned reg)
{
    switch (reg) {
    case REG_ID:
        return (uint32_t)l->id << 24;
    case REG_VERSION:
        return VERSION;
    case REG_TPR:
        return l->tpr;
    case REG_APR:
        return arbitration_priority(l);
    case REG_PPR:
        return processor_priority(l);
    case REG_EOI:
    case REG_RRD: /* no other APIC can be read */
        return 0;
    case REG_LDR:
        return (uint32_t)l->ldr << 24;
    case REG_DFR:
        return (uint32_t)l->dfr << 24 | 0xfffffff;
    case REG_SVR:
        return l->svr;
    case REG_ESR:
        return l->esr;
    case REG_ICR_LOW:
        return l->icr_low;
    case REG_ICR_HIGH:
        return (uint32_t)l->icr_dest << 24;
    case REG_INITIAL:
        return l->initial;
    case REG_CURRENT:
        return timer_current(l);
    case REG_DIVIDE:
        return l->divide;
    default:
        break;
    }
    if (reg >= REG_ISR && reg < REG_ISR + 8) {
        return l->isr[reg - REG_ISR];
    }
    if (reg >= REG_TMR && reg < REG_TMR + 8) {
        return l->tmr[reg - REG_TMR];
    }
    if (reg >= REG_IRR && reg < REG_IRR + 8) {
        return l->irr[reg - REG_IRR];
    }
    if (reg >= REG_LVT && reg < REG_LVT + LVTS) {
        return l->lvt[reg - REG_LVT];
    }
    report_error(l, ESR_ILLEGAL_REGISTER);
    return 0;
}

static void write_register(struct lapic *l, unsigned reg, uint32_t val)
{
    uint32_t count;

    switch (reg) {
    case REG_ID:
        l->id = (uint8_t)(val >> 24);
        return;
    case REG_TPR:
        l->tpr = (uint8_t)val;
        update(l);
        return;
    case REG_EOI:
        end_of_interrupt(l);
        return;
    case REG_LDR:
        l->ldr = (uint8_t)(val >> 24);
        return;
    case REG_DFR:
        l->dfr = val >> 24 & 0xf0;
        return;
    case REG_SVR:
        write_svr(l, val);
        return;
    case REG_ESR:
        l->esr = l->errors;
        l->errors = 0;
        return;
    case REG_ICR_LOW:
        l->icr_low = val & ICR_BITS;
        send_ipi(l);
        return;
    case REG_ICR_HIGH:
        l->icr_dest = (uint8_t)(val >> 24);
        return;
    case REG_INITIAL:
        l->initial = val;
        timer_rebase(l, val);
        timer_arm(l);
        return;
    case REG_DIVIDE:
        count = timer_current(l);
        l->divide = val & 0x0b;
        timer_rebase(l, count);
        timer_arm(l);
        return;
    default:
        break;
    }
    if (reg >= REG_LVT && reg < REG_LVT + LVTS) {
        write_lvt(l, reg - REG_LVT, val);
        return;
    }
    if ((reg >= REG_ISR && reg < REG_ESR) || reg == REG_VERSION || reg == REG_CURRENT
        || (reg >= REG_APR && reg <= REG_RRD)) {
        return; /* read-only */
    }
    report_error(l, ESR_ILLEGAL_REGISTER);
}

/* Registers are 32 bits wide and lie 16 bytes apart; what is between them is nothing. */
static uint64_t lapic_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    return off & 0xc ? 0 : read_register(dev, (unsigned)off >> 4);
}

static void lapic_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    if (!(off & 0xc)) {
        write_register(dev, (unsigned)off >> 4, (uint32_t)val);
    }
}

static const struct io_ops lapic_ops = {lapic_read, lapic_write, 4, 4, "lapic"};

/* --- life ------------------------------------------------------------------------------------ */

/* State after power-up or INIT; the identification and the pins stay. */
static void reset_registers(struct lapic *l)
{
    unsigned n;

    l->tpr = l->ldr = 0;
    l->dfr = 0xf0;
    l->svr = 0xff;
    for (n = 0; n < 8; n++) {
        l->isr[n] = l->tmr[n] = l->irr[n] = 0;
    }
    l->esr = l->errors = 0;
    l->icr_low = 0;
    l->icr_dest = 0;
    for (n = 0; n < LVTS; n++) {
        l->lvt[n] = LVT_MASKED;
    }
    l->lvt[LVT_LINT0] = APIC_EXTINT << 8;
    l->lvt[LVT_LINT1] = APIC_NMI << 8;
    l->extint = false;
    l->initial = 0;
    l->divide = 0;
    l->started = 0;
    l->counting = false;
    timer_arm(l);
}

static void place_window(struct lapic *l)
{
    bus_move(l->dev.env->mem, l->window, l->base & 0xffffff000u, hardware_enabled(l));
}

void lapic_set_base(struct device *d, uint64_t base, bool reset)
{
    struct lapic *l = (struct lapic *)(void *)d;

    l->base = base;
    place_window(l);
    if (reset || !hardware_enabled(l)) {
        reset_registers(l);
    }
    update(l);
}

static bool lapic_init(struct device *d, const void *config, struct err *e)
{
    struct lapic *l = (struct lapic *)(void *)d;
    const struct lapic_config *c = config;

    l->intr = c->intr;
    l->nmi = c->nmi;
    l->smi = c->smi;
    l->init = c->init;
    l->eoi = c->eoi;
    l->to = c->to;
    l->bus = (struct clock){c->bus_hz, 1};
    (void)snprintf(l->expiry_name, sizeof l->expiry_name, "%s/timer", d->id);
    event_init(d->env->sched, &l->expiry, l->expiry_name, timer_expired, l);
    l->window = bus_map(d->env->mem, LAPIC_BASE_RESET & ~0xfffu, WINDOW, &lapic_ops, l,
                        PRIO_DEVICE);
    return l->window >= 0 || err_set(e, "%s: out of memory", d->id);
}

static void lapic_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct lapic *l = (struct lapic *)(void *)d;

    l->id = 0;
    lapic_set_base(d, LAPIC_BASE_RESET, true);
}

static bool lapic_post_load(struct device *d, unsigned version UNUSED, struct err *e UNUSED)
{
    struct lapic *l = (struct lapic *)(void *)d;

    l->counting = l->counting && l->initial;
    l->divide &= 0x0b;
    place_window(l);
    l->intr_level = output(l);
    irq_set(&l->intr, l->intr_level);
    return true;
}

static const struct snap_field lapic_state[] = {
    SNAP_F(struct lapic, base, SNAP_U64),     SNAP_F(struct lapic, id, SNAP_U8),
    SNAP_F(struct lapic, tpr, SNAP_U8),       SNAP_F(struct lapic, ldr, SNAP_U8),
    SNAP_F(struct lapic, dfr, SNAP_U8),       SNAP_F(struct lapic, svr, SNAP_U16),
    SNAP_ARRAY(struct lapic, isr, SNAP_U32),  SNAP_ARRAY(struct lapic, tmr, SNAP_U32),
    SNAP_ARRAY(struct lapic, irr, SNAP_U32),  SNAP_F(struct lapic, esr, SNAP_U8),
    SNAP_F(struct lapic, errors, SNAP_U8),    SNAP_F(struct lapic, icr_low, SNAP_U32),
    SNAP_F(struct lapic, icr_dest, SNAP_U8),  SNAP_ARRAY(struct lapic, lvt, SNAP_U32),
    SNAP_ARRAY(struct lapic, lint, SNAP_BOOL), SNAP_F(struct lapic, extint, SNAP_BOOL),
    SNAP_F(struct lapic, initial, SNAP_U32),  SNAP_F(struct lapic, divide, SNAP_U8),
    SNAP_F(struct lapic, started, SNAP_U64),  SNAP_F(struct lapic, counting, SNAP_BOOL),
    SNAP_END,
};

const struct device_class lapic_class = {
    .name = "lapic",
    .size = sizeof(struct lapic),
    .init = lapic_init,
    .reset = lapic_reset,
    .state = lapic_state,
    .state_version = 1,
    .post_load = lapic_post_load,
};
