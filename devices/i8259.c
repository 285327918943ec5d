/*
 * Intel 8259A programmable interrupt controller, the master/slave pair of the AT (8259A data sheet
 * 231468; edge/level control registers as in the 82371SB PIIX3 data sheet, 4D0h/4D1h).
 *
 * Invariants: a request at an edge triggered input lives in `edge` from the rising edge until it is
 * acknowledged or its line falls; a level triggered input requests as long as its line is high.
 * The slave's INT output drives input 2 of the master and falls for a moment at each acknowledge,
 * so that the next request of the slave is a new edge.  INT outputs are derived, never stored.
 */
#include "devices/i8259.h"

enum { ICW1_IC4 = 0x01, ICW1_SNGL = 0x02, ICW1_ADI = 0x04, ICW1_LTIM = 0x08, ICW1_INIT = 0x10 };
enum { ICW4_UPM = 0x01, ICW4_AEOI = 0x02, ICW4_SFNM = 0x10 };
enum { OCW3_RIS = 0x01, OCW3_RR = 0x02, OCW3_POLL = 0x04, OCW3_SELECT = 0x08 };
enum { OCW3_SMM = 0x20, OCW3_ESMM = 0x40 };
enum { CASCADE = 2, SPURIOUS = 7 };

struct pic {
    uint8_t lines;  /* levels at the pins */
    uint8_t edge;   /* edge sense latches */
    uint8_t isr, imr;
    uint8_t elcr;   /* 1: level triggered */
    uint8_t icw1, icw2, icw3, icw4;
    uint8_t expect; /* 2..4: the ICW that is due; 0: operating */
    uint8_t lowest; /* the input with the lowest priority */
    bool read_isr, poll, special_mask, rotate_aeoi;
};

struct i8259 {
    struct device dev;
    struct irq_line intr;
    bool intr_level;
    struct pic pic[2]; /* master, slave */
};

static uint8_t pic_irr(const struct pic *c)
{
    uint8_t level = c->icw1 & ICW1_LTIM ? 0xff : c->elcr;

    return (uint8_t)((c->lines & level) | (c->edge & ~level));
}

/* The input that wins the priority contest against those in service, or -1. */
static int pic_pending(const struct pic *c)
{
    uint8_t request = pic_irr(c) & (uint8_t)~c->imr;
    uint8_t blocking = c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr;
    unsigned i;

    if (c->expect || !request) {
        return -1;
    }
    for (i = 1; i <= 8; i++) {
        unsigned n = (c->lowest + i) & 7;
        unsigned bit = 1u << n;

        if (blocking & bit) {
            /* Special fully nested: a slave may interrupt its own service. */
            bool nested = (c->icw4 & ICW4_SFNM) && (c->icw3 & bit);

            return nested && (request & bit) ? (int)n : -1;
        }
        if (request & bit) {
            return (int)n;
        }
    }
    return -1;
}

static void pic_line(struct pic *c, unsigned n, bool level)
{
    uint8_t bit = (uint8_t)(1u << n);

    if (level) {
        c->edge |= (uint8_t)(bit & ~c->lines);
        c->lines |= bit;
    } else {
        c->lines &= (uint8_t)~bit;
        c->edge &= (uint8_t)~bit;
    }
}

static void i8259_update(struct i8259 *p)
{
    bool level;

    pic_line(&p->pic[0], CASCADE, pic_pending(&p->pic[1]) >= 0);
    level = pic_pending(&p->pic[0]) >= 0;
    if (level != p->intr_level) {
        p->intr_level = level;
        irq_set(&p->intr, level);
    }
}

void i8259_irq(void *to, unsigned n, bool level)
{
    struct i8259 *p = to;

    if (n > 15 || n == CASCADE) {
        return;
    }
    pic_line(&p->pic[n >> 3], n & 7, level);
    i8259_update(p);
}

bool i8259_intr(const struct device *d)
{
    return ((const struct i8259 *)d)->intr_level;
}

static void pic_acknowledge(struct pic *c, unsigned n)
{
    uint8_t bit = (uint8_t)(1u << n);

    c->edge &= (uint8_t)~bit;
    if (!(c->icw4 & ICW4_AEOI)) {
        c->isr |= bit;
    } else if (c->rotate_aeoi) {
        c->lowest = (uint8_t)n;
    }
}

/* What the chip puts on the bus in the second INTA cycle. */
static unsigned pic_vector(const struct pic *c, unsigned n)
{
    if (c->icw4 & ICW4_UPM) {
        return (c->icw2 & 0xf8u) | n;
    }
    /* MCS-80 mode: the low byte of the CALL address. */
    return c->icw1 & ICW1_ADI ? (c->icw1 & 0xe0u) | n << 2 : (c->icw1 & 0xc0u) | n << 3;
}

static unsigned slave_inta(struct i8259 *p, unsigned n)
{
    struct pic *slave = &p->pic[1];
    int m;

    if ((slave->icw3 & 7) != n) {
        return 0xff; /* no slave has this number: nobody drives the bus */
    }
    m = pic_pending(slave);
    if (m < 0) {
        return pic_vector(slave, SPURIOUS);
    }
    pic_acknowledge(slave, (unsigned)m);
    pic_line(&p->pic[0], CASCADE, false);
    return pic_vector(slave, (unsigned)m);
}

unsigned i8259_inta(struct device *d)
{
    struct i8259 *p = (struct i8259 *)d;
    struct pic *master = &p->pic[0];
    int n = pic_pending(master);
    unsigned vector;

    if (n < 0) {
        return pic_vector(master, SPURIOUS);
    }
    pic_acknowledge(master, (unsigned)n);
    if (!(master->icw1 & ICW1_SNGL) && (master->icw3 & (1u << n))) {
        vector = slave_inta(p, (unsigned)n);
    } else {
        vector = pic_vector(master, (unsigned)n);
    }
    /* INT falls for a moment, so that whoever wants edges sees the next request. */
    p->intr_level = false;
    irq_set(&p->intr, false);
    i8259_update(p);
    return vector;
}

static void pic_icw1(struct pic *c, uint8_t val)
{
    c->icw1 = val;
    c->icw4 = 0;
    c->icw3 = 7; /* the slave number an uninitialised slave answers to */
    c->edge = 0;
    c->isr = 0;
    c->imr = 0;
    c->lowest = 7;
    c->read_isr = c->poll = c->special_mask = c->rotate_aeoi = false;
    c->expect = 2;
}

/* ICW2..ICW4 follow ICW1 at the odd address in this order. */
static void pic_icw_next(struct pic *c, uint8_t val)
{
    bool want4 = c->icw1 & ICW1_IC4;

    if (c->expect == 2) {
        c->icw2 = val;
        if (c->icw1 & ICW1_SNGL) {
            c->icw3 = 0;
            c->expect = want4 ? 4 : 0;
        } else {
            c->expect = 3;
        }
    } else if (c->expect == 3) {
        c->icw3 = val;
        c->expect = want4 ? 4 : 0;
    } else {
        c->icw4 = val;
        c->expect = 0;
    }
}

/* End of interrupt without a level: the in-service input of highest priority. */
static int pic_in_service(const struct pic *c)
{
    uint8_t isr = c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr;
    unsigned i;

    for (i = 1; i <= 8; i++) {
        unsigned n = (c->lowest + i) & 7;

        if (isr & (1u << n)) {
            return (int)n;
        }
    }
    return -1;
}

static void pic_ocw2(struct pic *c, uint8_t val)
{
    bool rotate = val & 0x80, specific = val & 0x40, eoi = val & 0x20;
    int n = specific ? val & 7 : pic_in_service(c);

    if (!eoi) {
        if (!specific) {
            c->rotate_aeoi = rotate;
        } else if (rotate) {
            c->lowest = (uint8_t)n;
        }
        return;
    }
    if (n >= 0) {
        c->isr &= (uint8_t)~(1u << n);
        if (rotate) {
            c->lowest = (uint8_t)n;
        }
    }
}

static void pic_ocw3(struct pic *c, uint8_t val)
{
    if (val & OCW3_ESMM) {
        c->special_mask = val & OCW3_SMM;
    }
    if (val & OCW3_POLL) {
        c->poll = true;
    } else if (val & OCW3_RR) {
        c->read_isr = val & OCW3_RIS;
    }
}

static void pic_write(struct i8259 *p, struct pic *c, uint64_t off, uint8_t val)
{
    if (off & 1) {
        if (c->expect) {
            pic_icw_next(c, val);
        } else {
            c->imr = val;
        }
    } else if (val & ICW1_INIT) {
        pic_icw1(c, val);
    } else if (val & OCW3_SELECT) {
        pic_ocw3(c, val);
    } else {
        pic_ocw2(c, val);
    }
    i8259_update(p);
}

/* The read after a poll command is an acknowledge. */
static uint8_t pic_poll(struct i8259 *p, struct pic *c)
{
    int n = pic_pending(c);

    c->poll = false;
    if (n < 0) {
        return 0;
    }
    pic_acknowledge(c, (unsigned)n);
    if (c == &p->pic[1]) {
        pic_line(&p->pic[0], CASCADE, false);
    }
    i8259_update(p);
    return (uint8_t)(0x80 | n);
}

static uint8_t pic_read(struct i8259 *p, struct pic *c, uint64_t off)
{
    if (c->poll) {
        return pic_poll(p, c);
    }
    if (off & 1) {
        return c->imr;
    }
    return c->read_isr ? c->isr : pic_irr(c);
}

static uint64_t master_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct i8259 *p = dev;

    return pic_read(p, &p->pic[0], off);
}

static void master_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct i8259 *p = dev;

    pic_write(p, &p->pic[0], off, (uint8_t)val);
}

static uint64_t slave_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct i8259 *p = dev;

    return pic_read(p, &p->pic[1], off);
}

static void slave_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct i8259 *p = dev;

    pic_write(p, &p->pic[1], off, (uint8_t)val);
}

static uint64_t elcr_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct i8259 *p = dev;

    return p->pic[off & 1].elcr;
}

static void elcr_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct i8259 *p = dev;
    /* IRQ 0, 1, 2, 8 and 13 are edge triggered for good. */
    static const uint8_t settable[2] = {0xf8, 0xde};

    p->pic[off & 1].elcr = (uint8_t)val & settable[off & 1];
    i8259_update(p);
}

static const struct io_ops master_ops = {master_read, master_write, 1, 1, "i8259 master"};
static const struct io_ops slave_ops = {slave_read, slave_write, 1, 1, "i8259 slave"};
static const struct io_ops elcr_ops = {elcr_read, elcr_write, 1, 1, "i8259 elcr"};

static bool i8259_init(struct device *d, const void *config, struct err *e)
{
    struct i8259 *p = (struct i8259 *)d;
    const struct i8259_config *c = config;
    struct bus *io = d->env->io;

    p->intr = c->intr;
    if (bus_map(io, c->master_port, 2, &master_ops, p, PRIO_DEVICE) < 0 ||
        bus_map(io, c->slave_port, 2, &slave_ops, p, PRIO_DEVICE) < 0 ||
        (c->elcr_port && bus_map(io, c->elcr_port, 2, &elcr_ops, p, PRIO_DEVICE) < 0)) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

/* The chip has no reset pin; everything is masked until the firmware initialises it. */
static void i8259_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct i8259 *p = (struct i8259 *)d;
    unsigned i;

    for (i = 0; i < 2; i++) {
        uint8_t lines = p->pic[i].lines;

        p->pic[i] = (struct pic){.lines = lines, .imr = 0xff, .lowest = 7};
    }
    p->intr_level = false;
    irq_set(&p->intr, false);
    i8259_update(p);
}

static bool i8259_post_load(struct device *d, unsigned version UNUSED, struct err *e UNUSED)
{
    struct i8259 *p = (struct i8259 *)d;
    unsigned i;

    for (i = 0; i < 2; i++) {
        p->pic[i].lowest &= 7;
        if (p->pic[i].expect == 1 || p->pic[i].expect > 4) {
            p->pic[i].expect = 0;
        }
    }
    p->intr_level = pic_pending(&p->pic[0]) >= 0;
    irq_set(&p->intr, p->intr_level);
    return true;
}

#define PIC_STATE(i)                                                                           \
    SNAP_F(struct i8259, pic[i].lines, SNAP_U8), SNAP_F(struct i8259, pic[i].edge, SNAP_U8),   \
        SNAP_F(struct i8259, pic[i].isr, SNAP_U8), SNAP_F(struct i8259, pic[i].imr, SNAP_U8),  \
        SNAP_F(struct i8259, pic[i].elcr, SNAP_U8),                                            \
        SNAP_F(struct i8259, pic[i].icw1, SNAP_U8),                                            \
        SNAP_F(struct i8259, pic[i].icw2, SNAP_U8), SNAP_F(struct i8259, pic[i].icw3, SNAP_U8), \
        SNAP_F(struct i8259, pic[i].icw4, SNAP_U8),                                            \
        SNAP_F(struct i8259, pic[i].expect, SNAP_U8),                                          \
        SNAP_F(struct i8259, pic[i].lowest, SNAP_U8),                                          \
        SNAP_F(struct i8259, pic[i].read_isr, SNAP_BOOL),                                      \
        SNAP_F(struct i8259, pic[i].poll, SNAP_BOOL),                                          \
        SNAP_F(struct i8259, pic[i].special_mask, SNAP_BOOL),                                  \
        SNAP_F(struct i8259, pic[i].rotate_aeoi, SNAP_BOOL)

static const struct snap_field i8259_state[] = {
    PIC_STATE(0),
    PIC_STATE(1),
    SNAP_END,
};

const struct device_class i8259_class = {
    .name = "i8259",
    .size = sizeof(struct i8259),
    .init = i8259_init,
    .reset = i8259_reset,
    .state = i8259_state,
    .state_version = 1,
    .post_load = i8259_post_load,
};
