/*
 * Intel 8237A DMA controllers of the AT (data sheet 231466) and the 74LS612 page registers.
 *
 * Transfers run from one scheduler event: each run serves the channel that wins the priority
 * contest with one piece of its block, and the bus is taken for a microsecond a transfer before the
 * next piece.  Single, demand and block mode differ in who keeps the request up, not in the piece.
 * Invariants: an address counts within its 64 K units, the page never changes; a channel whose
 * peripheral had nothing to move is `stalled` until DREQ is signalled again.
 */
#include "devices/i8237.h"

#include <stdio.h>
#include <string.h>

enum { /* command register */
    CMD_MEM_TO_MEM = 0x01,
    CMD_HOLD_SOURCE = 0x02,
    CMD_DISABLE = 0x04,
    CMD_ROTATE = 0x10,
    CMD_DREQ_LOW = 0x40
};
enum { /* mode register */
    MODE_DIR = 0x0c,
    MODE_WRITE = 0x04,
    MODE_READ = 0x08,
    MODE_AUTOINIT = 0x10,
    MODE_DECREMENT = 0x20,
    MODE_CASCADE = 0xc0
};
enum { CASCADE_CHANNEL = 4, CHANNELS = 8, PIECE = 4096, NS_PER_TRANSFER = 1000 };

struct dma_ctl {
    uint16_t base_addr[4], base_count[4], addr[4], count[4];
    uint8_t mode[4];
    uint8_t command, tc, request, mask, temp;
    uint8_t dreq;    /* levels of the request lines */
    uint8_t stalled;
    uint8_t lowest;  /* rotating priority: the channel served last */
    bool high_byte;  /* the flip-flop */
};

struct i8237 {
    struct device dev;
    void (*post)(void *ctx, uint8_t code);
    void *post_ctx;
    struct dma_peripheral peripheral[CHANNELS];
    struct event run;
    char run_name[32];
    struct dma_ctl ctl[2];
    uint8_t page[16];
    uint8_t buf[PIECE]; /* holds a piece while it is moved */
};

/* Channels of a controller that want the bus now. */
static uint8_t ctl_wants(const struct dma_ctl *c)
{
    uint8_t dreq = c->command & CMD_DREQ_LOW ? (uint8_t)~c->dreq & 0x0f : c->dreq;

    if (c->command & CMD_DISABLE) {
        return 0;
    }
    return (uint8_t)(((dreq & ~c->mask) | c->request) & ~c->stalled & 0x0f);
}

/* The channel of a controller that is served next, or -1; `wants` may hold the cascade. */
static int ctl_winner(const struct dma_ctl *c, uint8_t wants)
{
    unsigned i;

    for (i = 0; i < 4; i++) {
        unsigned n = c->command & CMD_ROTATE ? (c->lowest + 1 + i) & 3 : i;

        if (wants & (1u << n)) {
            return (int)n;
        }
    }
    return -1;
}

static bool is_cascade(const struct dma_ctl *c, unsigned n)
{
    return (c->mode[n] & MODE_CASCADE) == MODE_CASCADE;
}

/* A cascaded channel passes the bus on and moves nothing itself. */
static uint8_t own_channels(const struct dma_ctl *c)
{
    uint8_t wants = ctl_wants(c);
    unsigned n;

    for (n = 0; n < 4; n++) {
        if (is_cascade(c, n)) {
            wants &= (uint8_t)~(1u << n);
        }
    }
    return wants;
}

/* The channel (0..7) that gets the bus, or -1. */
static int i8237_winner(const struct i8237 *p)
{
    const struct dma_ctl *low = &p->ctl[0], *high = &p->ctl[1];
    uint8_t below = own_channels(low), wants = own_channels(high);
    int n;

    if (below && is_cascade(high, 0) && !(high->mask & 1) && !(high->command & CMD_DISABLE)) {
        wants |= 1;
    }
    n = ctl_winner(high, wants);
    if (n < 0) {
        return -1;
    }
    if (n == 0 && is_cascade(high, 0)) {
        return ctl_winner(low, below);
    }
    return CASCADE_CHANNEL + n;
}

static void i8237_kick(struct i8237 *p)
{
    if (!event_pending(&p->run) && i8237_winner(p) >= 0) {
        event_at(p->dev.env->sched, &p->run, sched_after_ns(p->dev.env->sched, NS_PER_TRANSFER));
    }
}

/* Which page register belongs to a channel. */
static uint8_t channel_page(const struct i8237 *p, unsigned n)
{
    static const uint8_t place[CHANNELS] = {0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa};

    return p->page[place[n]];
}

static uint64_t channel_address(const struct i8237 *p, unsigned n, uint16_t addr)
{
    uint8_t page = channel_page(p, n);

    if (n < CASCADE_CHANNEL) {
        return (uint64_t)page << 16 | addr;
    }
    return (uint64_t)(page & 0xfe) << 16 | (uint64_t)addr << 1;
}

/* Swaps the order of the units of a piece, for channels that count downwards. */
static void reverse_units(uint8_t *buf, uint32_t units, unsigned width)
{
    uint32_t i, j;

    for (i = 0, j = units; i + 1 < j; i++) {
        uint8_t t[2];

        j--;
        memcpy(t, buf + i * width, width);
        memcpy(buf + i * width, buf + j * width, width);
        memcpy(buf + j * width, t, width);
    }
}

/* Moves up to `units` transfers of channel n at its present address; returns how many. */
static uint32_t channel_move(struct i8237 *p, unsigned n, uint32_t units, bool tc)
{
    const struct dma_ctl *c = &p->ctl[n >> 2];
    const struct dma_peripheral *per = &p->peripheral[n];
    uint8_t mode = c->mode[n & 3];
    uint16_t addr = c->addr[n & 3];
    unsigned width = n < CASCADE_CHANNEL ? 1 : 2;
    bool down = mode & MODE_DECREMENT;
    uint32_t len = units * width, moved = len;
    enum dma_dir dir = DMA_VERIFY;

    if ((mode & MODE_DIR) == MODE_WRITE) {
        dir = DMA_TO_MEMORY;
        memset(p->buf, 0xff, len); /* nobody answers: the bus floats */
    } else if ((mode & MODE_DIR) == MODE_READ) {
        dir = DMA_FROM_MEMORY;
        bus_read_block(p->dev.env->mem,
                       channel_address(p, n, (uint16_t)(down ? addr - (units - 1) : addr)),
                       p->buf, len);
        if (down) {
            reverse_units(p->buf, units, width);
        }
    }
    if (per->transfer) {
        moved = per->transfer(per->dev, dir, p->buf, len, tc);
    }
    units = MIN(moved, len) / width;
    if (dir == DMA_TO_MEMORY && units) {
        if (down) {
            reverse_units(p->buf, units, width);
        }
        bus_write_block(p->dev.env->mem,
                        channel_address(p, n, (uint16_t)(down ? addr - (units - 1) : addr)),
                        p->buf, units * width);
    }
    return units;
}

static void channel_terminal_count(struct dma_ctl *c, unsigned n)
{
    uint8_t bit = (uint8_t)(1u << n);

    c->tc |= bit;
    c->request &= (uint8_t)~bit;
    if (c->mode[n] & MODE_AUTOINIT) {
        c->addr[n] = c->base_addr[n];
        c->count[n] = c->base_count[n];
    } else {
        c->mask |= bit;
    }
}

/* One piece of a channel's block; returns the number of transfers. */
static uint32_t channel_serve(struct i8237 *p, unsigned n)
{
    struct dma_ctl *c = &p->ctl[n >> 2];
    unsigned k = n & 3;
    bool down = c->mode[k] & MODE_DECREMENT;
    uint32_t left = c->count[k] + 1u;
    uint32_t wrap = down ? c->addr[k] + 1u : 0x10000u - c->addr[k];
    uint32_t units = MIN(MIN(left, wrap), n < CASCADE_CHANNEL ? PIECE : PIECE / 2u);

    units = channel_move(p, n, units, units == left);
    if (units == 0) {
        c->stalled |= (uint8_t)(1u << k);
        return 0;
    }
    c->addr[k] = (uint16_t)(down ? c->addr[k] - units : c->addr[k] + units);
    c->count[k] = (uint16_t)(c->count[k] - units);
    if (units == left) {
        channel_terminal_count(c, k);
    }
    return units;
}

/* Memory to memory: channel 0 reads, channel 1 writes and counts. */
static uint32_t memory_copy(struct i8237 *p)
{
    struct dma_ctl *c = &p->ctl[0];
    struct bus *mem = p->dev.env->mem;
    uint32_t units = MIN(c->count[1] + 1u, (uint32_t)PIECE), i;

    for (i = 0; i < units; i++) {
        c->temp = (uint8_t)bus_read(mem, channel_address(p, 0, c->addr[0]), 1);
        bus_write_block(mem, channel_address(p, 1, c->addr[1]), &c->temp, 1);
        if (!(c->command & CMD_HOLD_SOURCE)) {
            c->addr[0] = (uint16_t)(c->addr[0] + (c->mode[0] & MODE_DECREMENT ? -1 : 1));
        }
        c->addr[1] = (uint16_t)(c->addr[1] + (c->mode[1] & MODE_DECREMENT ? -1 : 1));
        if (c->count[1]-- == 0) {
            channel_terminal_count(c, 1);
            c->request &= (uint8_t)~1u;
        }
    }
    return units;
}

static void i8237_run(void *arg, uint64_t now UNUSED)
{
    struct i8237 *p = arg;
    int n = i8237_winner(p);
    struct dma_ctl *c;
    uint32_t units;

    if (n < 0) {
        return;
    }
    c = &p->ctl[n >> 2];
    if (n == 0 && (c->command & CMD_MEM_TO_MEM) && (c->request & 1)) {
        units = memory_copy(p);
    } else {
        units = channel_serve(p, (unsigned)n);
    }
    c->lowest = n & 3;
    if (n < CASCADE_CHANNEL) {
        p->ctl[1].lowest = 0;
    }
    if (!event_pending(&p->run) && i8237_winner(p) >= 0) {
        event_at(p->dev.env->sched, &p->run,
                 sched_after_ns(p->dev.env->sched, (uint64_t)MAX(units, 1u) * NS_PER_TRANSFER));
    }
}

static void i8237_request(void *ctl, unsigned n, bool level)
{
    struct i8237 *p = ctl;
    struct dma_ctl *c = &p->ctl[n >> 2];
    uint8_t bit = (uint8_t)(1u << (n & 3));

    c->stalled &= (uint8_t)~bit;
    c->dreq = (uint8_t)(level ? c->dreq | bit : c->dreq & ~bit);
    i8237_kick(p);
}

void i8237_connect(struct device *d, unsigned n, const struct dma_peripheral *per)
{
    struct i8237 *p = (struct i8237 *)d;

    p->peripheral[n & 7] = per ? *per : (struct dma_peripheral){NULL, NULL};
}

struct dma_channel i8237_channel(struct device *d, unsigned n)
{
    return (struct dma_channel){i8237_request, d, n & 7};
}

static uint8_t read_half(struct dma_ctl *c, uint16_t v)
{
    c->high_byte = !c->high_byte;
    return (uint8_t)(c->high_byte ? v : v >> 8);
}

static uint16_t with_half(uint16_t v, bool high, uint8_t val)
{
    return (uint16_t)(high ? (v & 0x00ff) | val << 8 : (v & 0xff00) | val);
}

/* Base and current register are written together, a byte at a time. */
static void write_half(struct dma_ctl *c, uint16_t *base, uint16_t *current, uint8_t val)
{
    *base = with_half(*base, c->high_byte, val);
    *current = with_half(*current, c->high_byte, val);
    c->high_byte = !c->high_byte;
}

static uint8_t ctl_read(struct dma_ctl *c, unsigned reg)
{
    uint8_t v;

    if (reg < 8) {
        return read_half(c, reg & 1 ? c->count[reg >> 1] : c->addr[reg >> 1]);
    }
    switch (reg) {
    case 0x8:
        v = (uint8_t)((c->command & CMD_DREQ_LOW ? ~c->dreq & 15 : c->dreq) | c->request);
        v = (uint8_t)(v << 4 | c->tc);
        c->tc = 0;
        return v;
    case 0xd:
        return c->temp;
    case 0xf:
        return c->mask;
    default:
        return 0xff;
    }
}

static void ctl_clear(struct dma_ctl *c)
{
    c->command = c->tc = c->request = c->temp = 0;
    c->mask = 0x0f;
    c->stalled = 0;
    c->lowest = 3;
    c->high_byte = false;
}

static uint8_t set_bit(uint8_t v, uint8_t val)
{
    uint8_t bit = (uint8_t)(1u << (val & 3));

    return (uint8_t)(val & 4 ? v | bit : v & ~bit);
}

static void ctl_write(struct dma_ctl *c, unsigned reg, uint8_t val)
{
    unsigned n = reg >> 1;

    if (reg < 8) {
        if (reg & 1) {
            write_half(c, &c->base_count[n], &c->count[n], val);
        } else {
            write_half(c, &c->base_addr[n], &c->addr[n], val);
        }
        return;
    }
    c->stalled = 0; /* whatever the guest changes may let a peripheral go on */
    switch (reg) {
    case 0x8:
        c->command = val;
        break;
    case 0x9:
        c->request = set_bit(c->request, val);
        break;
    case 0xa:
        c->mask = set_bit(c->mask, val);
        break;
    case 0xb:
        c->mode[val & 3] = val & 0xfc;
        break;
    case 0xc:
        c->high_byte = false;
        break;
    case 0xd:
        ctl_clear(c);
        break;
    case 0xe:
        c->mask = 0;
        break;
    default:
        c->mask = val & 0x0f;
        break;
    }
}

static uint64_t low_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct i8237 *p = dev;

    return ctl_read(&p->ctl[0], (unsigned)off & 15);
}

static void low_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct i8237 *p = dev;

    ctl_write(&p->ctl[0], (unsigned)off & 15, (uint8_t)val);
    i8237_kick(p);
}

static uint64_t high_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct i8237 *p = dev;

    return ctl_read(&p->ctl[1], (unsigned)off >> 1 & 15);
}

static void high_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct i8237 *p = dev;

    ctl_write(&p->ctl[1], (unsigned)off >> 1 & 15, (uint8_t)val);
    i8237_kick(p);
}

static uint64_t page_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct i8237 *p = dev;

    return p->page[off & 15];
}

static void page_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct i8237 *p = dev;

    p->page[off & 15] = (uint8_t)val;
    if (off == 0 && p->post) {
        p->post(p->post_ctx, (uint8_t)val);
    }
}

static const struct io_ops low_ops = {low_read, low_write, 1, 1, "i8237 channels 0-3"};
static const struct io_ops high_ops = {high_read, high_write, 1, 1, "i8237 channels 4-7"};
static const struct io_ops page_ops = {page_read, page_write, 1, 1, "DMA page registers"};

static bool i8237_init(struct device *d, const void *config, struct err *e)
{
    struct i8237 *p = (struct i8237 *)d;
    const struct i8237_config *c = config;
    struct bus *io = d->env->io;

    p->post = c->post;
    p->post_ctx = c->post_ctx;
    snprintf(p->run_name, sizeof p->run_name, "%s/run", d->id);
    event_init(d->env->sched, &p->run, p->run_name, i8237_run, p);
    if (bus_map(io, c->low_port, 16, &low_ops, p, PRIO_DEVICE) < 0 ||
        bus_map(io, c->high_port, 32, &high_ops, p, PRIO_DEVICE) < 0 ||
        bus_map(io, c->page_port, 16, &page_ops, p, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

static void i8237_reset(struct device *d, enum reset_kind kind)
{
    struct i8237 *p = (struct i8237 *)d;
    unsigned i;

    for (i = 0; i < 2; i++) {
        if (kind == RESET_COLD) {
            p->ctl[i] = (struct dma_ctl){.dreq = p->ctl[i].dreq};
        }
        ctl_clear(&p->ctl[i]);
    }
    if (kind == RESET_COLD) {
        memset(p->page, 0, sizeof p->page);
    }
    event_cancel(d->env->sched, &p->run);
}

static bool i8237_post_load(struct device *d, unsigned version UNUSED, struct err *e UNUSED)
{
    struct i8237 *p = (struct i8237 *)d;
    unsigned i;

    for (i = 0; i < 2; i++) {
        p->ctl[i].mask &= 0x0f;
        p->ctl[i].dreq &= 0x0f;
        p->ctl[i].request &= 0x0f;
        p->ctl[i].tc &= 0x0f;
        p->ctl[i].lowest &= 3;
    }
    return true;
}

#define CTL_STATE(i)                                                                           \
    SNAP_ARRAY(struct i8237, ctl[i].base_addr, SNAP_U16),                                      \
        SNAP_ARRAY(struct i8237, ctl[i].base_count, SNAP_U16),                                 \
        SNAP_ARRAY(struct i8237, ctl[i].addr, SNAP_U16),                                       \
        SNAP_ARRAY(struct i8237, ctl[i].count, SNAP_U16),                                      \
        SNAP_ARRAY(struct i8237, ctl[i].mode, SNAP_U8),                                        \
        SNAP_F(struct i8237, ctl[i].command, SNAP_U8),                                         \
        SNAP_F(struct i8237, ctl[i].tc, SNAP_U8),                                              \
        SNAP_F(struct i8237, ctl[i].request, SNAP_U8),                                         \
        SNAP_F(struct i8237, ctl[i].mask, SNAP_U8),                                            \
        SNAP_F(struct i8237, ctl[i].temp, SNAP_U8),                                            \
        SNAP_F(struct i8237, ctl[i].dreq, SNAP_U8),                                            \
        SNAP_F(struct i8237, ctl[i].stalled, SNAP_U8),                                         \
        SNAP_F(struct i8237, ctl[i].lowest, SNAP_U8),                                          \
        SNAP_F(struct i8237, ctl[i].high_byte, SNAP_BOOL)

static const struct snap_field i8237_state[] = {
    CTL_STATE(0),
    CTL_STATE(1),
    SNAP_ARRAY(struct i8237, page, SNAP_U8),
    SNAP_END,
};

const struct device_class i8237_class = {
    .name = "i8237",
    .size = sizeof(struct i8237),
    .init = i8237_init,
    .reset = i8237_reset,
    .state = i8237_state,
    .state_version = 1,
    .post_load = i8237_post_load,
};
