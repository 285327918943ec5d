/*
 * DISPI: the registers at 1CEh/1CFh (and 1D0h) that select large and deep modes.
 *
 * Bochs "VBE Display API", identification B0C5h.  Size and depth are fixed while DISPI is enabled;
 * the virtual width may change, and the virtual height follows from it and the memory there
 * is.  Bit 6 of the enable register (linear frame buffer) is kept for the guest; the frame buffer
 * is always decoded.  At 4 bits a pixel the planes work as in VGA modes, banks count 64 KB of each
 * plane.
 * Invariant while enabled: what is shown lies inside of video memory.
 */
#include "devices/vga_priv.h"

#include <string.h>

enum { MAX_XRES = 2560, MAX_YRES = 1600, MAX_BPP = 32, ID_FIRST = 0xb0c0, ID_LAST = 0xb0c5 };

void vga_dispi_reset(struct vga *v)
{
    memset(v->dispi, 0, sizeof v->dispi);
    v->dispi_index = v->read_bank = 0;
    v->dispi[DISPI_ID] = ID_LAST;
    v->dispi[DISPI_XRES] = v->dispi[DISPI_VIRT_WIDTH] = 640;
    v->dispi[DISPI_YRES] = v->dispi[DISPI_VIRT_HEIGHT] = 480;
    v->dispi[DISPI_BPP] = 8;
}

static bool known_depth(unsigned bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/* Bytes of a line; at 4 bits a pixel of each plane. */
static uint32_t line_bytes(unsigned bpp, uint32_t pixels)
{
    return bpp == 4 ? pixels / 8 : pixels * ((bpp + 7) / 8);
}

/* Bytes (of a plane) there are. */
static uint32_t memory_bytes(const struct vga *v)
{
    return v->dispi[DISPI_BPP] == 4 ? v->vram_size / 4 : v->vram_size;
}

uint32_t vga_dispi_pitch(const struct vga *v)
{
    return line_bytes(v->dispi[DISPI_BPP], v->dispi[DISPI_VIRT_WIDTH]);
}

static bool fits(const struct vga *v, uint32_t width, uint32_t height)
{
    return (uint64_t)line_bytes(v->dispi[DISPI_BPP], width) * height <= memory_bytes(v);
}

bool vga_dispi_valid(const struct vga *v)
{
    const uint16_t *r = v->dispi;

    if (!known_depth(r[DISPI_BPP]) || r[DISPI_XRES] > MAX_XRES || r[DISPI_YRES] > MAX_YRES) {
        return false;
    }
    if (!vga_dispi_on(v)) {
        return true;
    }
    return r[DISPI_XRES] >= 8 && r[DISPI_YRES] >= 1
           && r[DISPI_X_OFFSET] + (uint32_t)r[DISPI_XRES] <= r[DISPI_VIRT_WIDTH]
           && fits(v, r[DISPI_VIRT_WIDTH], r[DISPI_Y_OFFSET] + (uint32_t)r[DISPI_YRES]);
}

/* As wide as asked for, or as the memory allows for the height shown. */
static void set_virtual_width(struct vga *v, uint32_t width)
{
    uint16_t *r = v->dispi;
    uint32_t bytes = memory_bytes(v), pitch;

    width = MAX(width, r[DISPI_XRES]);
    if (r[DISPI_BPP] == 4) {
        width = (width + 7) & ~7u;
    }
    if (!fits(v, width, r[DISPI_YRES])) {
        pitch = bytes / r[DISPI_YRES];
        width = r[DISPI_BPP] == 4 ? pitch * 8 : pitch / line_bytes(r[DISPI_BPP], 1);
        width = MIN(width, 0xfff8);
    }
    pitch = line_bytes(r[DISPI_BPP], width);
    r[DISPI_VIRT_WIDTH] = (uint16_t)width;
    r[DISPI_VIRT_HEIGHT] = (uint16_t)MIN(bytes / pitch, 0xffff);
}

/* Offsets that would show what is outside of the virtual screen stop at its edge. */
static void clamp_offsets(struct vga *v)
{
    uint16_t *r = v->dispi;

    r[DISPI_X_OFFSET] = MIN(r[DISPI_X_OFFSET], (uint16_t)(r[DISPI_VIRT_WIDTH] - r[DISPI_XRES]));
    r[DISPI_Y_OFFSET] = MIN(r[DISPI_Y_OFFSET], (uint16_t)(r[DISPI_VIRT_HEIGHT] - r[DISPI_YRES]));
    if (r[DISPI_BPP] == 4) {
        r[DISPI_X_OFFSET] &= (uint16_t)~7u;
    }
}

static bool turn_on(struct vga *v, bool clear)
{
    uint16_t *r = v->dispi;
    uint32_t bytes;

    if (r[DISPI_XRES] < 8 || r[DISPI_YRES] < 1 || !fits(v, r[DISPI_XRES], r[DISPI_YRES])) {
        log_guest(v->dev.env->log, "vga", "DISPI mode %ux%ux%u refused: too small, or too large "
                  "for video memory", r[DISPI_XRES], r[DISPI_YRES], r[DISPI_BPP]);
        return false;
    }
    if (r[DISPI_BPP] == 4) {
        r[DISPI_XRES] &= (uint16_t)~7u;
    }
    r[DISPI_X_OFFSET] = r[DISPI_Y_OFFSET] = 0;
    r[DISPI_BANK] = v->read_bank = 0;
    set_virtual_width(v, r[DISPI_XRES]);
    if (clear) {
        bytes = vga_dispi_pitch(v) * r[DISPI_YRES] * (r[DISPI_BPP] == 4 ? 4u : 1u);
        vga_clear_vram(v, bytes);
    }
    return true;
}

/* Colours keep their brightness when the DAC changes between 6 and 8 bits. */
static void set_dac_width(struct vga *v, bool eight)
{
    unsigned i;

    for (i = 0; i < sizeof v->dac; i++) {
        v->dac[i] = (uint8_t)(eight ? v->dac[i] << 2 : v->dac[i] >> 2);
    }
}

static void write_enable(struct vga *v, uint16_t val)
{
    uint16_t old = v->dispi[DISPI_ENABLE];

    val &= DISPI_ENABLED | DISPI_GETCAPS | DISPI_BANK_32K | DISPI_8BIT_DAC | DISPI_LFB_ENABLED
           | DISPI_NOCLEARMEM;
    if ((val & DISPI_ENABLED) && !(old & DISPI_ENABLED) && !turn_on(v, !(val & DISPI_NOCLEARMEM))) {
        val &= (uint16_t)~DISPI_ENABLED;
    }
    if ((val ^ old) & DISPI_8BIT_DAC) {
        set_dac_width(v, val & DISPI_8BIT_DAC);
    }
    if ((val ^ old) & DISPI_BANK_32K) {
        v->dispi[DISPI_BANK] = v->read_bank = 0;
    }
    v->dispi[DISPI_ENABLE] = val;
}

/* Bits 14 and 15 name the direction; none of them means both. */
static void write_bank(struct vga *v, uint16_t val)
{
    unsigned shift = v->dispi[DISPI_ENABLE] & DISPI_BANK_32K ? 15 : 16;
    unsigned bank = val & 0x1ff, which = val >> 14 ? val >> 14 : 3;

    if (bank >= memory_bytes(v) >> shift) {
        return;
    }
    if (which & 1) {
        v->dispi[DISPI_BANK] = (uint16_t)bank;
    }
    if (which & 2) {
        v->read_bank = (uint16_t)bank;
    }
}

static void write_shape(struct vga *v, unsigned index, uint16_t val)
{
    static const uint16_t limit[] = {MAX_XRES, MAX_YRES, MAX_BPP};

    if (index == DISPI_BPP && val == 0) {
        val = 8;
    }
    if (vga_dispi_on(v) || val > limit[index - DISPI_XRES]
        || (index == DISPI_BPP && !known_depth(val))) {
        log_guest(v->dev.env->log, "vga", "DISPI register %u does not take %u now", index, val);
        return;
    }
    v->dispi[index] = val;
}

void vga_dispi_write(struct device *d, unsigned index, uint16_t val)
{
    struct vga *v = vga_of(d);

    switch (index) {
    case DISPI_ID:
        if (val >= ID_FIRST && val <= ID_LAST) {
            v->dispi[DISPI_ID] = val;
        }
        return;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_BPP:
        write_shape(v, index, val);
        return;
    case DISPI_ENABLE:
        write_enable(v, val);
        break;
    case DISPI_BANK:
        write_bank(v, val);
        vga_derive_access(v);
        return;
    case DISPI_VIRT_WIDTH:
        if (!vga_dispi_on(v)) {
            return;
        }
        set_virtual_width(v, val);
        clamp_offsets(v);
        break;
    case DISPI_X_OFFSET:
    case DISPI_Y_OFFSET:
        if (!vga_dispi_on(v)) {
            return;
        }
        v->dispi[index] = val;
        clamp_offsets(v);
        v->scan_valid = false;
        return;
    default:
        return;
    }
    vga_changed(v);
}

uint16_t vga_dispi_read(struct device *d, unsigned index)
{
    const struct vga *v = vga_of(d);
    bool caps = v->dispi[DISPI_ENABLE] & DISPI_GETCAPS;

    switch (index) {
    case DISPI_XRES:
        return caps ? MAX_XRES : v->dispi[index];
    case DISPI_YRES:
        return caps ? MAX_YRES : v->dispi[index];
    case DISPI_BPP:
        return caps ? MAX_BPP : v->dispi[index];
    case DISPI_BANK:
        return caps ? DISPI_BANK_32K << 8 : v->dispi[index];
    case DISPI_MEMORY_64K:
        return (uint16_t)(v->vram_size >> 16);
    default:
        return index < DISPI_REGS ? v->dispi[index] : 0;
    }
}

/* Offset 0: index.  Offset 1, and 2 for hosts that want it aligned: data.  Bytes are low halves. */
static uint64_t dispi_read(void *dev, uint64_t off, unsigned size)
{
    struct vga *v = dev;
    uint16_t val = 0xffff;

    if (off == 0) {
        val = v->dispi_index;
    } else if (off <= 2) {
        val = vga_dispi_read(&v->dev, v->dispi_index);
    }
    return size == 1 ? val & 0xff : val;
}

static void dispi_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct vga *v = dev;

    (void)size;
    if (off == 0) {
        v->dispi_index = (uint16_t)val;
    } else if (off <= 2) {
        vga_dispi_write(&v->dev, v->dispi_index, (uint16_t)val);
    }
}

const struct io_ops vga_dispi_ops = {dispi_read, dispi_write, 1, 2, "vga-dispi"};
