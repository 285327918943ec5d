/*
 * 82371SB (PIIX3) function 0, PCI to ISA bridge (Intel 290550, section 3.1).
 *
 * PIRQRC[A:D] (60h-63h) steer the four PCI interrupts to ISA interrupts; bit 7 disconnects one.
 * An output is the OR of its ISA source and of every PIRQ steered to it, so moving a route while a
 * line is active moves the level.  CF9h resets on a 0 to 1 change of bit 2.
 * The timing and decode registers have no effect a guest can see here and just hold their bits.
 */
#include "devices/piix3.h"

#include "devices/pci.h"

enum { PIRQRC = 0x60, OUTPUTS = 16, PIRQS = 4, RCR_HARD = 2, RCR_GO = 4 };

struct piix3 {
    struct device d;
    struct pci_function pci;
    struct irq_line irq[OUTPUTS];
    void (*reset)(void *to, bool hard);
    void *reset_to;
    bool isa[OUTPUTS];
    bool pirq[PIRQS];
    bool out[OUTPUTS]; /* as last driven */
    uint8_t rcr;
};

static const struct snap_field piix3_fields[] = {
    PCI_SNAP_FIELDS(struct piix3, pci),
    SNAP_ARRAY(struct piix3, isa, SNAP_BOOL),
    SNAP_ARRAY(struct piix3, pirq, SNAP_BOOL),
    SNAP_ARRAY(struct piix3, out, SNAP_BOOL),
    SNAP_F(struct piix3, rcr, SNAP_U8),
    SNAP_END,
};

/* The ISA interrupts a PIRQ may be steered to; the others are reserved and disconnect it. */
static bool steerable(unsigned n)
{
    return (0xdef8u >> n & 1) != 0;
}

static void update_output(struct piix3 *p, unsigned n)
{
    bool level = p->isa[n];
    unsigned i;

    for (i = 0; i < PIRQS; i++) {
        unsigned route = p->pci.config[PIRQRC + i];

        level = level || (p->pirq[i] && !(route & 0x80) && (route & 15) == n && steerable(n));
    }
    if (level != p->out[n]) {
        p->out[n] = level;
        irq_set(&p->irq[n], level);
    }
}

static void update_outputs(struct piix3 *p)
{
    unsigned n;

    for (n = 0; n < OUTPUTS; n++) {
        update_output(p, n);
    }
}

static void isa_set(void *to, unsigned n, bool level)
{
    struct piix3 *p = to;

    if (p->isa[n] != level) {
        p->isa[n] = level;
        update_output(p, n);
    }
}

struct irq_line piix3_isa_line(struct device *d, unsigned n)
{
    struct irq_line line = {isa_set, d, n & (OUTPUTS - 1)};

    return line;
}

static void pirq_set(void *to, unsigned line, bool level)
{
    struct piix3 *p = to;

    p->pirq[line] = level;
    update_outputs(p);
}

static void written(void *dev, unsigned off, unsigned size)
{
    if (off < PIRQRC + PIRQS && off + size > PIRQRC) {
        update_outputs(dev);
    }
}

static uint64_t rcr_read(void *dev, uint64_t off, unsigned size)
{
    (void)off;
    (void)size;
    return ((const struct piix3 *)dev)->rcr;
}

static void rcr_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct piix3 *p = dev;
    uint8_t old = p->rcr;

    (void)off;
    (void)size;
    p->rcr = (uint8_t)(val & (RCR_HARD | RCR_GO));
    if ((p->rcr & RCR_GO) && !(old & RCR_GO) && p->reset) {
        p->reset(p->reset_to, (p->rcr & RCR_HARD) != 0);
    }
}

static const struct io_ops rcr_ops = {rcr_read, rcr_write, 1, 1, "reset-control"};

static void define_registers(struct piix3 *p, uint8_t slot)
{
    static const struct pci_id id = {0x8086, 0x7000, 0x060100, 0x00};
    unsigned i;

    pci_function_init(&p->pci, p, PCI_DEVFN(slot, 0), &id);
    p->pci.written = written;
    pci_define(&p->pci, PCI_HEADER, 1, 0x80, 0, 0); /* there are more functions */
    pci_define(&p->pci, PCI_COMMAND, 2, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 0x0008, 0);
    pci_define(&p->pci, PCI_LATENCY, 1, 0, 0, 0);
    pci_define(&p->pci, 0x4c, 1, 0x4d, 0x7f, 0);   /* IORT */
    pci_define(&p->pci, 0x4e, 2, 0x0003, 0x01ff, 0); /* XBCS */
    for (i = 0; i < PIRQS; i++) {
        pci_define(&p->pci, PIRQRC + i, 1, 0x80, 0x8f, 0);
    }
    pci_define(&p->pci, 0x69, 1, 0x02, 0xfa, 0);   /* TOM */
    pci_define(&p->pci, 0x6a, 2, 0x0000, 0x8010, 0); /* MSTAT */
    pci_define(&p->pci, 0x70, 2, 0x8080, 0xafaf, 0); /* MBIRQ0, MBIRQ1 */
    pci_define(&p->pci, 0x76, 2, 0x0c0c, 0x8f8f, 0); /* MBDMA0, MBDMA1 */
    pci_define(&p->pci, 0x78, 2, 0x0002, 0xffff, 0); /* PCSC */
    pci_define(&p->pci, 0x80, 1, 0x00, 0x7f, 0);   /* APICBASE */
    pci_define(&p->pci, 0x82, 1, 0x00, 0x0f, 0);   /* DLC */
    pci_define(&p->pci, 0xa0, 1, 0x08, 0x1f, 0);   /* SMICNTL */
    pci_define(&p->pci, 0xa2, 2, 0x0000, 0x00ff, 0); /* SMIEN */
    pci_define(&p->pci, 0xa4, 4, 0x00000000, 0xffffffff, 0); /* SEE */
    pci_define(&p->pci, 0xa8, 1, 0x0f, 0xff, 0);   /* FTMR */
    pci_define(&p->pci, 0xaa, 2, 0x0000, 0x0000, 0x00ff); /* SMIREQ */
    pci_define(&p->pci, 0xac, 1, 0x00, 0xff, 0);   /* CTLTMR */
    pci_define(&p->pci, 0xae, 1, 0x00, 0xff, 0);   /* CTHTMR */
}

static bool piix3_init(struct device *d, const void *config, struct err *e)
{
    struct piix3 *p = (struct piix3 *)(void *)d;
    const struct piix3_config *c = config;
    unsigned n;

    for (n = 0; n < OUTPUTS; n++) {
        p->irq[n] = c->irq[n];
    }
    p->reset = c->reset;
    p->reset_to = c->reset_to;
    define_registers(p, c->slot);
    if (!pci_plug(c->pci, &p->pci, e)) {
        return false;
    }
    pci_set_router(c->pci, pirq_set, p);
    pci_set_cf9(c->pci, &rcr_ops, p);
    return true;
}

static void piix3_reset(struct device *d, enum reset_kind kind)
{
    struct piix3 *p = (struct piix3 *)(void *)d;

    (void)kind;
    pci_function_reset(&p->pci);
    p->rcr = 0;
    update_outputs(p);
}

const struct device_class piix3_class = {
    .name = "piix3",
    .size = sizeof(struct piix3),
    .init = piix3_init,
    .reset = piix3_reset,
    .state = piix3_fields,
    .state_version = 1,
};
