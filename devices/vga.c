/*
 * VGA registers, the DAC, and the beam in virtual time.
 *
 * IBM Video Subsystem: "General Registers", "Sequencer", "CRT Controller", "Graphics Controller",
 * "Attribute Controller", "Video Digital-to-Analog Converter".  Bits that a register does not have
 * read as zero, registers that do not exist are not stored.
 * The beam is not stepped: its place is the dot clock's ticks since `epoch`, modulo a
 * frame.  Blinking, the start address latch and the vertical interrupt follow from the number of
 * vertical retraces.
 * Registers that only shape the blanking and sync pulses (CRTC 2-5, 15h, 16h, polarities) are kept
 * and read back; a surface has no place where they could be seen.
 */
#include "devices/vga_priv.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t crtc_bits[VGA_CRTC_REGS] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0x3f, 0x7f, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xef, 0xff,
};
static const uint8_t seq_bits[VGA_SEQ_REGS] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t gc_bits[VGA_GC_REGS] = {
    0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff,
};

static const uint32_t window_base[VGA_WINDOWS] = {0xa0000, 0xa0000, 0xb0000, 0xb8000};
static const uint32_t window_size[VGA_WINDOWS] = {0x20000, 0x10000, 0x08000, 0x08000};

/* Time */

/* 25.175 and 28.322 MHz.  Nothing is on the feature connector; its clock counts as the first. */
static struct clock dot_clock(const struct vga *v)
{
    return (v->misc >> 2 & 3) == 1 ? (struct clock){28322000, 1} : (struct clock){25175000, 1};
}

/* DISPI programs no timing: a plain 60 Hz frame with a quarter and 45 lines of blanking. */
static void dispi_timing(const struct vga *v, struct vga_timing *t)
{
    t->shown_ticks = v->dispi[DISPI_XRES];
    t->line_ticks = t->shown_ticks + t->shown_ticks / 4 + 1;
    t->shown_lines = v->dispi[DISPI_YRES];
    t->lines = t->shown_lines + 45;
    t->retrace = t->shown_lines + 10;
    t->retrace_lines = 2;
    t->clock.num = 60ull * t->line_ticks * t->lines;
    t->clock.den = 1;
}

static void derive_timing(const struct vga *v, struct vga_timing *t)
{
    const uint8_t *r = v->crtc;
    uint32_t cell = v->seq[1] & 1 ? 8 : 9, twice = r[0x17] >> 2 & 1;

    memset(t, 0, sizeof *t);
    if (vga_dispi_on(v)) {
        dispi_timing(v, t);
        return;
    }
    cell <<= v->seq[1] >> 3 & 1;
    t->clock = dot_clock(v);
    t->line_ticks = (r[0] + 5u) * cell;
    t->shown_ticks = (r[1] + 1u) * cell;
    t->lines = (r[6] | (r[7] & 0x01u) << 8 | (r[7] & 0x20u) << 4) + 2u;
    t->shown_lines = (r[0x12] | (r[7] & 0x02u) << 7 | (r[7] & 0x40u) << 3) + 1u;
    t->retrace = r[0x10] | (r[7] & 0x04u) << 6 | (r[7] & 0x80u) << 2;
    t->retrace_lines = (r[0x11] - t->retrace) & 15;
    if (t->retrace_lines == 0) {
        t->retrace_lines = 16;
    }
    t->lines <<= twice;
    t->shown_lines <<= twice;
    t->retrace <<= twice;
    t->retrace_lines <<= twice;
}

/* Dot clock ticks since the epoch. */
static uint64_t elapsed(const struct vga *v, uint64_t now)
{
    return now > v->epoch ? clock_ticks(v->dev.env->sched, v->timing.clock, now - v->epoch) : 0;
}

/* The tick of a frame at which a retrace counts; a sync outside of the frame counts at its end. */
static uint32_t retrace_tick(const struct vga_timing *t)
{
    return MIN(t->retrace, t->lines - 1) * t->line_ticks;
}

static uint64_t retraces_since_epoch(const struct vga *v, uint64_t now)
{
    uint64_t ticks = elapsed(v, now);
    uint32_t first = retrace_tick(&v->timing);

    return ticks < first ? 0 : (ticks - first) / (v->timing.line_ticks * v->timing.lines) + 1;
}

uint64_t vga_retraces(const struct vga *v, uint64_t now)
{
    if (LIKELY(now - v->beam.from < v->beam.length)) {
        return v->beam.retraces;
    }
    return v->retraces0 + retraces_since_epoch(v, now);
}

uint64_t vga_retraces_now(const struct vga *v)
{
    return vga_retraces(v, sched_now(v->dev.env->sched));
}

static uint32_t start_register(const struct vga *v)
{
    return (uint32_t)v->crtc[0x0c] << 8 | v->crtc[0x0d];
}

uint32_t vga_start_address(const struct vga *v, uint64_t retraces)
{
    return retraces > v->start_changed ? start_register(v) : v->old_start;
}

static void write_start(struct vga *v, unsigned index, uint8_t val)
{
    uint64_t n = vga_retraces_now(v);

    if (n > v->start_changed) {
        v->old_start = start_register(v);
        v->start_changed = n;
    }
    v->crtc[index] = val;
}

/* A new frame starts where the shape of frames changes. */
static void retime(struct vga *v)
{
    uint64_t now = sched_now(v->dev.env->sched);
    struct vga_timing t;

    derive_timing(v, &t);
    if (memcmp(&t, &v->timing, sizeof t) != 0) {
        v->retraces0 = vga_retraces(v, now);
        v->epoch = now;
        v->timing = t;
        v->beam.length = 0;
    }
}

/* Vertical interrupt: latched at a retrace while CRTC 11h bit 4 is set, until it is cleared. */
static bool irq_latched(const struct vga *v, uint64_t now)
{
    return (v->crtc[0x11] & 0x10) && vga_retraces(v, now) > v->irq_armed;
}

static void update_irq(struct vga *v)
{
    struct sched *s = v->dev.env->sched;
    uint64_t now = sched_now(s);
    bool latched = irq_latched(v, now), enabled = !(v->crtc[0x11] & 0x20);

    irq_set(&v->irq, latched && enabled);
    if ((v->crtc[0x11] & 0x10) && enabled && !latched) {
        uint64_t frame = (uint64_t)v->timing.line_ticks * v->timing.lines;
        uint64_t tick = retrace_tick(&v->timing) + retraces_since_epoch(v, now) * frame;

        event_at(s, &v->retrace, v->epoch + clock_icount(s, v->timing.clock, tick));
    } else {
        event_cancel(s, &v->retrace);
    }
}

static void retrace_event(void *arg, uint64_t now)
{
    struct vga *v = arg;

    (void)now;
    update_irq(v);
}

/* Derived state */

/* Called for every change of a register that takes part; most of them leave the map as it is. */
static void place_windows(struct vga *v)
{
    bool on = (v->misc & 2) && (v->subsystem & 1), linear = on && vga_mem_linear(v);
    unsigned i, map = v->access.packed ? 1 : v->gc[6] >> 2 & 3;
    int place = linear ? VGA_WINDOWS : on ? (int)map : -1;

    if (place == v->placed) {
        return;
    }
    v->placed = place;
    bus_begin(v->dev.env->mem);
    for (i = 0; i < VGA_WINDOWS; i++) {
        bus_move(v->dev.env->mem, v->window[i], window_base[i], (int)i == place);
    }
    bus_move(v->dev.env->mem, v->linear, window_base[1], linear);
    bus_commit(v->dev.env->mem);
}

static void access_changed(struct vga *v)
{
    vga_derive_access(v);
    place_windows(v);
}

void vga_changed(struct vga *v)
{
    v->scan_valid = false;
    access_changed(v);
    retime(v);
    update_irq(v);
}

/* CRT controller */

static uint8_t crtc_read(const struct vga *v)
{
    unsigned i = v->crtc_index;

    if ((i == 0x10 || i == 0x11) && !(v->crtc[3] & 0x80)) {
        return 0; /* the light pen position, of a light pen that is not there */
    }
    if (i < VGA_CRTC_REGS) {
        return v->crtc[i];
    }
    if (i == 0x22) { /* data latch of the plane that read map select names */
        return (uint8_t)(v->latch >> (v->gc[4] & 3) * 8);
    }
    if (i == 0x24) { /* attribute flip-flop */
        return (uint8_t)(v->attr_data << 7);
    }
    return 0;
}

static void crtc_write(struct vga *v, uint8_t val)
{
    unsigned i = v->crtc_index;

    if (i >= VGA_CRTC_REGS) {
        return;
    }
    val &= crtc_bits[i];
    if (i < 8 && (v->crtc[0x11] & 0x80)) {
        /* Protected; only the line compare bit of the overflow register is not. */
        if (i != 7) {
            return;
        }
        val = (uint8_t)((v->crtc[7] & ~0x10) | (val & 0x10));
    }
    if (val == v->crtc[i]) {
        return;
    }
    switch (i) {
    case 0x0c:
    case 0x0d:
        write_start(v, i, val);
        break;
    case 0x0a:
    case 0x0b:
    case 0x0e:
    case 0x0f:
        v->crtc[i] = val;
        break;
    case 0x11:
        if (val & ~v->crtc[i] & 0x10) {
            v->irq_armed = vga_retraces(v, sched_now(v->dev.env->sched));
        }
        v->crtc[i] = val;
        vga_changed(v);
        break;
    default:
        v->crtc[i] = val;
        vga_changed(v);
        break;
    }
}

/* Sequencer and graphics controller */

static uint8_t seq_read(const struct vga *v)
{
    return v->seq_index < VGA_SEQ_REGS ? v->seq[v->seq_index] : 0;
}

static void seq_write(struct vga *v, uint8_t val)
{
    unsigned i = v->seq_index;

    if (i >= VGA_SEQ_REGS || (val & seq_bits[i]) == v->seq[i]) {
        return;
    }
    v->seq[i] = val & seq_bits[i];
    if (i == 2) {
        access_changed(v);
    } else {
        vga_changed(v);
    }
}

static uint8_t gc_read(const struct vga *v)
{
    return v->gc_index < VGA_GC_REGS ? v->gc[v->gc_index] : 0;
}

static void gc_write(struct vga *v, uint8_t val)
{
    unsigned i = v->gc_index;
    uint8_t changed;

    if (i >= VGA_GC_REGS) {
        return;
    }
    changed = v->gc[i] ^ (val & gc_bits[i]);
    if (!changed) {
        return;
    }
    v->gc[i] ^= changed;
    if (i == 6 || (i == 5 && (changed & 0x60))) {
        v->scan_valid = false;
    }
    access_changed(v);
}

/* Attribute controller */

static uint8_t attr_read(const struct vga *v)
{
    unsigned i = v->attr_index & 0x1f;

    return i < VGA_ATTR_REGS ? v->attr[i] : 0;
}

static void attr_write(struct vga *v, uint8_t val)
{
    static const uint8_t mode_bits[] = {0xef, 0xff, 0x3f, 0x0f, 0x0f};
    unsigned i = v->attr_index & 0x1f;

    if (!v->attr_data) {
        v->attr_index = val & 0x3f;
    } else if (i < VGA_ATTR_REGS) {
        v->attr[i] = val & (i < 16 ? 0x3f : mode_bits[i - 16]);
    }
    v->attr_data = !v->attr_data;
    v->scan_valid = false;
}

/* DAC: three bytes make an access; the address moves on with the third. */

static void dac_fetch(struct vga *v)
{
    memcpy(v->dac_buffer, v->dac + v->dac_address * 3, 3);
    v->dac_address++;
}

static uint8_t dac_data_read(struct vga *v)
{
    uint8_t val = v->dac_buffer[v->dac_sub];

    if (++v->dac_sub == 3) {
        v->dac_sub = 0;
        dac_fetch(v);
    }
    return val;
}

static void dac_data_write(struct vga *v, uint8_t val)
{
    v->dac_buffer[v->dac_sub] = v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC ? val : val & 0x3f;
    if (++v->dac_sub == 3) {
        v->dac_sub = 0;
        memcpy(v->dac + v->dac_address * 3, v->dac_buffer, 3);
        v->dac_address++;
    }
}

/* Input status */

static void find_line(struct vga *v, uint64_t now)
{
    const struct vga_timing *t = &v->timing;
    struct sched *s = v->dev.env->sched;
    struct vga_beam *b = &v->beam;
    uint64_t ticks = elapsed(v, now), line = ticks / t->line_ticks;

    b->length = 0; /* vga_retraces() shall count */
    b->retraces = vga_retraces(v, now);
    b->line = (uint32_t)(line % t->lines);
    b->ticks = line * t->line_ticks;
    b->from = v->epoch + clock_icount(s, t->clock, b->ticks);
    b->length = v->epoch + clock_icount(s, t->clock, b->ticks + t->line_ticks) - b->from;
}

/* Where the beam is: the line, and the tick in it; false: outside of what is displayed. */
static bool beam(struct vga *v, uint32_t *line, uint32_t *tick)
{
    uint64_t now = sched_now(v->dev.env->sched);

    if (UNLIKELY(now - v->beam.from >= v->beam.length)) {
        find_line(v, now);
    }
    *line = v->beam.line;
    if (*line >= v->timing.shown_lines) {
        return false;
    }
    *tick = (uint32_t)(elapsed(v, now) - v->beam.ticks);
    return *tick < v->timing.shown_ticks;
}

static uint8_t colour_now(struct vga *v)
{
    uint32_t line, tick;

    return beam(v, &line, &tick) ? vga_beam_colour(v, line, tick) : v->attr[0x11];
}

/* Bit 7: vertical interrupt.  Bit 4: all three colour outputs below the comparator's 0.35 V. */
static uint8_t status0(struct vga *v)
{
    const uint8_t *rgb = v->dac + (colour_now(v) & v->dac_mask) * 3;
    unsigned limit = v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC ? 124 : 31, val = 0;

    if (rgb[0] < limit && rgb[1] < limit && rgb[2] < limit) {
        val |= 0x10;
    }
    if (irq_latched(v, sched_now(v->dev.env->sched))) {
        val |= 0x80;
    }
    return (uint8_t)val;
}

/* Bit 0: display disabled, bit 3: vertical retrace, bits 4-5: two bits of the colour on its way. */
static uint8_t status1(struct vga *v)
{
    static const uint8_t pair[4][2] = {{0, 2}, {4, 5}, {1, 3}, {6, 7}};
    const struct vga_timing *t = &v->timing;
    const uint8_t *select = pair[v->attr[0x12] >> 4 & 3];
    uint32_t line, tick, colour;
    unsigned val = 0;

    v->attr_data = false;
    if (beam(v, &line, &tick)) {
        colour = vga_beam_colour(v, line, tick);
    } else {
        colour = v->attr[0x11];
        val |= 0x01;
    }
    if (line >= t->retrace && line - t->retrace < t->retrace_lines
        && ((v->crtc[0x17] & 0x80) || vga_dispi_on(v))) {
        val |= 0x08;
    }
    return (uint8_t)(val | (colour >> select[0] & 1) << 4 | (colour >> select[1] & 1) << 5);
}

/* Ports */

/* Of 3Bxh and 3Dxh one answers, as the I/O address bit of miscellaneous output says. */
static bool crtc_at(const struct vga *v, uint16_t port)
{
    return (port & 0xf0) == (v->misc & 1 ? 0xd0 : 0xb0);
}

uint8_t vga_port_read(struct device *d, uint16_t port)
{
    struct vga *v = vga_of(d);

    if (port == 0x3c3) {
        return v->subsystem;
    }
    if (!(v->subsystem & 1) || ((port & 0xf0) != 0xc0 && !crtc_at(v, port))) {
        return 0xff;
    }
    switch (port) {
    case 0x3c0:
        return v->attr_index;
    case 0x3c1:
        return attr_read(v);
    case 0x3c2:
        return status0(v);
    case 0x3c4:
        return v->seq_index;
    case 0x3c5:
        return seq_read(v);
    case 0x3c6:
        return v->dac_mask;
    case 0x3c7:
        return v->dac_state;
    case 0x3c8:
        return v->dac_address;
    case 0x3c9:
        return dac_data_read(v);
    case 0x3ca:
        return v->feature;
    case 0x3cc:
        return v->misc;
    case 0x3ce:
        return v->gc_index;
    case 0x3cf:
        return gc_read(v);
    case 0x3b4:
    case 0x3d4:
        return v->crtc_index;
    case 0x3b5:
    case 0x3d5:
        return crtc_read(v);
    case 0x3ba:
    case 0x3da:
        return status1(v);
    default:
        return 0xff;
    }
}

static void general_write(struct vga *v, uint16_t port, uint8_t val)
{
    switch (port) {
    case 0x3c2:
        v->misc = val & 0xef;
        vga_changed(v);
        break;
    case 0x3c6:
        v->dac_mask = val;
        break;
    case 0x3c7:
        v->dac_address = val;
        v->dac_sub = 0;
        v->dac_state = 3;
        dac_fetch(v);
        break;
    case 0x3c8:
        v->dac_address = val;
        v->dac_sub = 0;
        v->dac_state = 0;
        break;
    case 0x3c9:
        dac_data_write(v, val);
        break;
    default: /* 3bah, 3dah */
        v->feature = val & 0x0b;
        break;
    }
}

void vga_port_write(struct device *d, uint16_t port, uint8_t val)
{
    struct vga *v = vga_of(d);

    if (port == 0x3c3) {
        v->subsystem = val & 1;
        place_windows(v);
        return;
    }
    if (!(v->subsystem & 1) || ((port & 0xf0) != 0xc0 && !crtc_at(v, port))) {
        return;
    }
    switch (port) {
    case 0x3c0:
        attr_write(v, val);
        break;
    case 0x3c4:
        v->seq_index = val & 7;
        break;
    case 0x3c5:
        seq_write(v, val);
        break;
    case 0x3ce:
        v->gc_index = val & 15;
        break;
    case 0x3cf:
        gc_write(v, val);
        break;
    case 0x3b4:
    case 0x3d4:
        v->crtc_index = val & 0x3f;
        break;
    case 0x3b5:
    case 0x3d5:
        crtc_write(v, val);
        break;
    case 0x3c2:
    case 0x3c6:
    case 0x3c7:
    case 0x3c8:
    case 0x3c9:
    case 0x3ba:
    case 0x3da:
        general_write(v, port, val);
        break;
    default:
        break;
    }
}

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
    struct vga_port_window *w = dev;

    (void)size;
    return vga_port_read(&w->v->dev, (uint16_t)(w->base + off));
}

static void port_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct vga_port_window *w = dev;

    (void)size;
    vga_port_write(&w->v->dev, (uint16_t)(w->base + off), (uint8_t)val);
}

static const struct io_ops port_ops = {port_read, port_write, 1, 1, "vga"};

/* Life cycle */

static bool map_ports(struct vga *v)
{
    static const uint16_t bases[VGA_PORT_WINDOWS] = {0x3b4, 0x3ba, 0x3c0, 0x3d4, 0x3da};
    static const uint16_t sizes[VGA_PORT_WINDOWS] = {2, 1, 16, 2, 1};
    unsigned i;
    bool ok = true;

    for (i = 0; i < VGA_PORT_WINDOWS; i++) {
        v->port_window[i].v = v;
        v->port_window[i].base = bases[i];
        ok = bus_map(v->dev.env->io, bases[i], sizes[i], &port_ops, &v->port_window[i],
                     PRIO_DEVICE) >= 0 && ok;
    }
    return bus_map(v->dev.env->io, 0x1ce, 4, &vga_dispi_ops, v, PRIO_DEVICE) >= 0 && ok;
}

static bool map_memory(struct vga *v, uint64_t lfb_base)
{
    struct bus *mem = v->dev.env->mem;
    unsigned i;
    bool ok;

    for (i = 0, ok = true; i < VGA_WINDOWS; i++) {
        v->window[i] = bus_map(mem, window_base[i], window_size[i], &vga_mem_ops, v, PRIO_DEVICE);
        ok = v->window[i] >= 0 && ok;
        bus_move(mem, v->window[i], window_base[i], false);
    }
    v->linear = bus_map_ram(mem, window_base[1], window_size[1], v->vram, BUS_RW | BUS_DIRTY,
                            PRIO_DEVICE);
    bus_move(mem, v->linear, window_base[1], false);
    v->lfb = bus_map_ram(mem, lfb_base, v->vram_size, v->vram, BUS_RW | BUS_DIRTY, PRIO_PCI);
    bus_move(mem, v->lfb, lfb_base, lfb_base != 0);
    v->placed = -1;
    return ok && v->linear >= 0 && v->lfb >= 0;
}

static void vga_free(struct device *d)
{
    struct vga *v = vga_of(d);

    vga_draw_free(v);
    free(v->page_dirty);
    free(v->page_used);
    free(v->page_seen);
    free(v->vram);
}

static bool vga_init(struct device *d, const void *config, struct err *e)
{
    const struct vga_config *c = config;
    struct vga *v = vga_of(d);
    uint32_t size = c->vram_size ? c->vram_size : VGA_VRAM_DEFAULT;

    if ((size & (size - 1)) != 0 || size < 4 * VGA_PLANE_SIZE || size > 256u << 20) {
        return err_set(e, "video memory of %u bytes is not possible; give a power of two from "
                       "256 KB to 256 MB", size);
    }
    v->irq = c->irq;
    v->vram_size = size;
    v->vram = calloc(size, 1);
    v->page_dirty = calloc(size >> PAGE_SHIFT, 1);
    v->page_used = calloc(size >> PAGE_SHIFT, 1);
    v->page_seen = calloc(size >> PAGE_SHIFT, 1);
    if (!v->vram || !v->page_dirty || !v->page_used || !v->page_seen || !map_ports(v)
        || !map_memory(v, c->lfb_base)) {
        vga_free(d);
        return err_set(e, "no memory for the display adapter; close other programs");
    }
    event_init(d->env->sched, &v->retrace, "vga/retrace", retrace_event, v);
    return true;
}

/* A page that nobody wrote yet; it is zero and, with luck, not even there on the host. */
bool vga_page_used(const struct vga *v, uint32_t page)
{
    uint64_t off = (uint64_t)page << PAGE_SHIFT;

    return v->page_used[page] || v->page_dirty[page]
           || bus_dirty_test(v->dev.env->mem, v->lfb, off)
           || bus_dirty_test(v->dev.env->mem, v->linear, off);
}

void vga_clear_vram(struct vga *v, uint32_t bytes)
{
    uint32_t page, first;

    for (page = 0; (first = page << PAGE_SHIFT) < bytes; page++) {
        if (vga_page_used(v, page)) {
            memset(v->vram + first, 0, MIN(PAGE_SIZE, bytes - first));
        }
    }
    v->drawn_valid = false;
}

static void vga_reset(struct device *d, enum reset_kind kind)
{
    struct vga *v = vga_of(d);

    if (kind == RESET_WAKE) {
        return;
    }
    v->misc = v->feature = 0;
    v->subsystem = 1;
    v->crtc_index = v->seq_index = v->gc_index = v->attr_index = 0;
    v->attr_data = false;
    memset(v->crtc, 0, sizeof v->crtc);
    memset(v->seq, 0, sizeof v->seq);
    memset(v->gc, 0, sizeof v->gc);
    memset(v->attr, 0, sizeof v->attr);
    memset(v->dac, 0, sizeof v->dac);
    memset(v->dac_buffer, 0, sizeof v->dac_buffer);
    v->dac_mask = 0xff;
    v->dac_address = v->dac_sub = v->dac_state = 0;
    v->latch = 0;
    vga_dispi_reset(v);
    v->epoch = sched_now(d->env->sched);
    v->beam.length = 0;
    v->retraces0 = v->start_changed = v->irq_armed = 0;
    v->old_start = 0;
    derive_timing(v, &v->timing);
    if (kind == RESET_COLD) {
        vga_clear_vram(v, v->vram_size);
    }
    v->drawn_valid = false;
    vga_changed(v);
}

/* Snapshot */

static const struct snap_field vga_state[] = {
    SNAP_F(struct vga, misc, SNAP_U8),
    SNAP_F(struct vga, feature, SNAP_U8),
    SNAP_F(struct vga, subsystem, SNAP_U8),
    SNAP_F(struct vga, crtc_index, SNAP_U8),
    SNAP_F(struct vga, seq_index, SNAP_U8),
    SNAP_F(struct vga, gc_index, SNAP_U8),
    SNAP_F(struct vga, attr_index, SNAP_U8),
    SNAP_ARRAY(struct vga, crtc, SNAP_BYTES),
    SNAP_ARRAY(struct vga, seq, SNAP_BYTES),
    SNAP_ARRAY(struct vga, gc, SNAP_BYTES),
    SNAP_ARRAY(struct vga, attr, SNAP_BYTES),
    SNAP_F(struct vga, attr_data, SNAP_BOOL),
    SNAP_ARRAY(struct vga, dac, SNAP_BYTES),
    SNAP_F(struct vga, dac_mask, SNAP_U8),
    SNAP_F(struct vga, dac_address, SNAP_U8),
    SNAP_F(struct vga, dac_sub, SNAP_U8),
    SNAP_F(struct vga, dac_state, SNAP_U8),
    SNAP_ARRAY(struct vga, dac_buffer, SNAP_BYTES),
    SNAP_F(struct vga, latch, SNAP_U32),
    SNAP_F(struct vga, dispi_index, SNAP_U16),
    SNAP_ARRAY(struct vga, dispi, SNAP_U16),
    SNAP_F(struct vga, read_bank, SNAP_U16),
    SNAP_F(struct vga, epoch, SNAP_U64),
    SNAP_F(struct vga, retraces0, SNAP_U64),
    SNAP_F(struct vga, old_start, SNAP_U32),
    SNAP_F(struct vga, start_changed, SNAP_U64),
    SNAP_F(struct vga, irq_armed, SNAP_U64),
    SNAP_END,
};

/* Video memory: its size, then number and content of the pages that are not zero, then ~0. */
static void vga_save(const struct device *d, struct snap_writer *w)
{
    static const uint8_t zero[PAGE_SIZE];
    const struct vga *v = CONTAINER_OF(d, const struct vga, dev);
    uint32_t page;

    snap_put_u32(w, v->vram_size);
    for (page = 0; page < v->vram_size >> PAGE_SHIFT; page++) {
        const uint8_t *p = v->vram + ((size_t)page << PAGE_SHIFT);

        if (vga_page_used(v, page) && memcmp(p, zero, PAGE_SIZE) != 0) {
            snap_put_u32(w, page);
            snap_put(w, p, PAGE_SIZE);
        }
    }
    snap_put_u32(w, UINT32_MAX);
}

static bool vga_load(struct device *d, struct snap_reader *r, unsigned version)
{
    struct vga *v = vga_of(d);
    uint32_t page, next = 0;

    (void)version;
    if (snap_get_u32(r) != v->vram_size) {
        return false;
    }
    vga_clear_vram(v, v->vram_size);
    while ((page = snap_get_u32(r)) != UINT32_MAX) {
        if (r->failed || page < next || page >= v->vram_size >> PAGE_SHIFT) {
            return false;
        }
        snap_get(r, v->vram + ((size_t)page << PAGE_SHIFT), PAGE_SIZE);
        v->page_used[page] = 1;
        next = page + 1;
    }
    return !r->failed;
}

static void mask_registers(uint8_t *reg, const uint8_t *bits, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        reg[i] &= bits[i];
    }
}

/* Interrupt line and event are left alone: their owners load them. */
static bool vga_post_load(struct device *d, unsigned version, struct err *e)
{
    struct vga *v = vga_of(d);

    (void)version;
    mask_registers(v->crtc, crtc_bits, VGA_CRTC_REGS);
    mask_registers(v->seq, seq_bits, VGA_SEQ_REGS);
    mask_registers(v->gc, gc_bits, VGA_GC_REGS);
    if (v->dac_sub > 2 || !vga_dispi_valid(v)) {
        return err_set(e, "the snapshot's display adapter is in a state that does not exist; use "
                       "another copy");
    }
    derive_timing(v, &v->timing);
    v->beam.length = 0;
    access_changed(v);
    v->scan_valid = v->drawn_valid = false;
    return true;
}

const struct device_class vga_class = {
    .name = "vga",
    .size = sizeof(struct vga),
    .init = vga_init,
    .reset = vga_reset,
    .free = vga_free,
    .state = vga_state,
    .state_version = 1,
    .save = vga_save,
    .load = vga_load,
    .post_load = vga_post_load,
};

/* The PCI shell's side */

int vga_lfb_handle(const struct device *d)
{
    return CONTAINER_OF(d, const struct vga, dev)->lfb;
}

uint32_t vga_vram_size(const struct device *d)
{
    return CONTAINER_OF(d, const struct vga, dev)->vram_size;
}
