/*
 * 82093AA I/O APIC (Intel data sheet 290566).
 *
 * IOREGSEL at +00h chooses the register that IOWIN at +10h shows: identification, version,
 * arbitration, and the redirection table of 24 entries.  The polarity bits hold what software
 * wrote; a line here is asserted or not, whatever its voltage would be.
 * Invariants: an edge counts only when it arrives while the entry is not masked; a level triggered
 * entry sends again when its line is still asserted at the EOI.  Delivery takes no time, so the
 * delivery status always reads as idle.
 */
#include "devices/ioapic.h"

enum {
    REG_ID = 0x00,
    REG_VERSION = 0x01,
    REG_ARBITRATION = 0x02,
    REG_TABLE = 0x10,
    VERSION = (IOAPIC_PINS - 1) << 16 | 0x11,
    SELECT = 0x00,
    DATA = 0x10,
    WINDOW = 0x1000,
    RTE_LOGICAL = 0x800,
    RTE_REMOTE_IRR = 0x4000,
    RTE_LEVEL = 0x8000,
    RTE_MASKED = 0x10000,
    RTE_LOW_BITS = 0x1afff
};

struct ioapic {
    struct device dev;
    bool (*send)(void *to, const struct apic_message *msg);
    void *to;
    uint8_t id, select;
    uint32_t lines; /* levels at the pins */
    uint32_t low[IOAPIC_PINS];
    uint8_t dest[IOAPIC_PINS];
};

static bool send(struct ioapic *io, unsigned n)
{
    uint32_t low = io->low[n];
    struct apic_message msg = {
        .dest = io->dest[n], .logical = low & RTE_LOGICAL, .mode = low >> 8 & 7,
        .vector = (uint8_t)low, .level = low & RTE_LEVEL};

    return io->send(io->to, &msg);
}

/* Level triggered entries: fixed and lowest priority only, the other modes are edges by nature. */
static bool by_level(uint32_t low)
{
    return (low & RTE_LEVEL) && (low >> 8 & 7) <= APIC_LOWEST;
}

static void service_level(struct ioapic *io, unsigned n)
{
    uint32_t low = io->low[n];

    if ((io->lines >> n & 1) && by_level(low) && !(low & (RTE_MASKED | RTE_REMOTE_IRR))) {
        /* First the mark: the message may end in an acknowledge that clears it. */
        io->low[n] |= RTE_REMOTE_IRR;
        if (!send(io, n)) {
            io->low[n] &= ~(uint32_t)RTE_REMOTE_IRR;
        }
    }
}

void ioapic_irq(void *to, unsigned n, bool level)
{
    struct ioapic *io = to;
    uint32_t bit = 1u << (n & 31);
    bool rising = level && !(io->lines & bit);

    if (n >= IOAPIC_PINS) {
        return;
    }
    io->lines = level ? io->lines | bit : io->lines & ~bit;
    if (!rising || (io->low[n] & RTE_MASKED)) {
        return;
    }
    if (by_level(io->low[n])) {
        service_level(io, n);
    } else {
        send(io, n);
    }
}

void ioapic_eoi(struct device *d, uint8_t vector)
{
    struct ioapic *io = (struct ioapic *)(void *)d;
    unsigned n;

    for (n = 0; n < IOAPIC_PINS; n++) {
        if ((io->low[n] & RTE_REMOTE_IRR) && (uint8_t)io->low[n] == vector) {
            io->low[n] &= ~(uint32_t)RTE_REMOTE_IRR;
            service_level(io, n);
        }
    }
}

static void write_entry(struct ioapic *io, unsigned n, bool high, uint32_t val)
{
    if (high) {
        io->dest[n] = (uint8_t)(val >> 24);
    } else {
        /* Changing an entry to edge triggered forgets that an EOI was due. */
        io->low[n] = (val & RTE_LOW_BITS) | (val & RTE_LEVEL ? io->low[n] & RTE_REMOTE_IRR : 0);
    }
    service_level(io, n);
}

static uint32_t read_data(const struct ioapic *io)
{
    unsigned entry = (io->select - REG_TABLE) >> 1;

    switch (io->select) {
    case REG_ID:
    case REG_ARBITRATION: /* alone on its bus, the chip never loses its turn */
        return (uint32_t)io->id << 24;
    case REG_VERSION:
        return VERSION;
    default:
        break;
    }
    if (io->select < REG_TABLE || entry >= IOAPIC_PINS) {
        return 0;
    }
    return io->select & 1 ? (uint32_t)io->dest[entry] << 24 : io->low[entry];
}

static uint64_t ioapic_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    const struct ioapic *io = dev;

    return off == SELECT ? io->select : off == DATA ? read_data(io) : 0;
}

static void ioapic_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct ioapic *io = dev;
    unsigned entry = (io->select - REG_TABLE) >> 1;

    if (off == SELECT) {
        io->select = (uint8_t)val;
    } else if (off == DATA && io->select == REG_ID) {
        io->id = val >> 24 & 15;
    } else if (off == DATA && io->select >= REG_TABLE && entry < IOAPIC_PINS) {
        write_entry(io, entry, io->select & 1, (uint32_t)val);
    }
}

static const struct io_ops ioapic_ops = {ioapic_read, ioapic_write, 4, 4, "ioapic"};

static bool ioapic_init(struct device *d, const void *config, struct err *e)
{
    struct ioapic *io = (struct ioapic *)(void *)d;
    const struct ioapic_config *c = config;

    io->send = c->send;
    io->to = c->to;
    return bus_map(d->env->mem, c->base, WINDOW, &ioapic_ops, io, PRIO_DEVICE) >= 0
           || err_set(e, "%s: out of memory", d->id);
}

static void ioapic_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct ioapic *io = (struct ioapic *)(void *)d;
    unsigned n;

    io->id = io->select = 0;
    for (n = 0; n < IOAPIC_PINS; n++) {
        io->low[n] = RTE_MASKED;
        io->dest[n] = 0;
    }
}

static const struct snap_field ioapic_state[] = {
    SNAP_F(struct ioapic, id, SNAP_U8),
    SNAP_F(struct ioapic, select, SNAP_U8),
    SNAP_F(struct ioapic, lines, SNAP_U32),
    SNAP_ARRAY(struct ioapic, low, SNAP_U32),
    SNAP_ARRAY(struct ioapic, dest, SNAP_U8),
    SNAP_END,
};

const struct device_class ioapic_class = {
    .name = "ioapic",
    .size = sizeof(struct ioapic),
    .init = ioapic_init,
    .reset = ioapic_reset,
    .state = ioapic_state,
    .state_version = 1,
};
