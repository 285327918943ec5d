/*
 * The CPU's side of video memory: the window at A0000h..BFFFFh through sequencer and graphics
 * controller.
 *
 * IBM Video Subsystem, "Graphics Controller Registers" (write modes 0-3, read modes 0-1) and
 * "Memory Maps".  The four planes are one 32-bit word, so an access works on all of them at once.
 * DISPI modes of 8 bits a pixel and more bypass all of it: the window is then a 64 KB bank.
 */
#include "devices/vga_priv.h"
#include "memory/bytes.h"

void vga_derive_access(struct vga *v)
{
    struct vga_access *x = &v->access;
    const uint8_t *gc = v->gc;
    bool dispi = vga_dispi_on(v), odd_even = !(v->seq[4] & 4);

    x->map_mask = vga_planes(v->seq[2]);
    x->set_reset = vga_planes(gc[0]);
    x->set_enable = vga_planes(gc[1]);
    x->compare = vga_planes(gc[2]);
    x->rotate = gc[3] & 7;
    x->function = gc[3] >> 3 & 3;
    x->read_plane = gc[4] & 3;
    x->write_mode = gc[5] & 3;
    x->read_compare = gc[5] >> 3 & 1;
    x->read_odd_even = gc[5] >> 4 & 1;
    x->care = vga_planes(gc[7]);
    x->bit_mask = gc[8] * 0x01010101u;
    x->chain4 = v->seq[4] >> 3 & 1;
    x->write_odd_even = odd_even && !x->chain4;
    x->replace_a0 = gc[6] >> 1 & 1;
    x->map_128k = (gc[6] & 0x0c) == 0;
    x->page = v->misc & 0x20 ? 0 : 1;
    x->address_mask = v->seq[4] & 2 ? 0xffff : 0x3fff;
    x->packed = dispi && v->dispi[DISPI_BPP] > 4;
    x->planar = !x->packed && !x->chain4 && !x->write_odd_even && !x->replace_a0;
    x->reads_plane = x->planar && !x->read_compare && !x->read_odd_even;
    x->copies = x->planar && (x->write_mode == 1 ||
                              (x->write_mode == 0 && !x->rotate && !x->function &&
                               !x->set_enable && x->bit_mask == UINT32_MAX));
    x->bank = 0;
    x->index_mask = VGA_PLANE_SIZE - 1;
    if (dispi) {
        unsigned shift = v->dispi[DISPI_ENABLE] & DISPI_BANK_32K ? 15 : 16;

        x->bank = (uint32_t)v->dispi[DISPI_BANK] << shift;
        x->index_mask = v->vram_size / 4 - 1;
        x->address_mask = 0xffff;
    }
}

/* Plain memory: every byte goes where it would go with all of the logic in between, unchanged. */
bool vga_mem_linear(const struct vga *v)
{
    const struct vga_access *x = &v->access;

    return !vga_dispi_on(v) && x->chain4 && x->map_mask == UINT32_MAX && x->write_mode == 0
           && x->rotate == 0 && x->function == 0 && x->set_enable == 0
           && x->bit_mask == UINT32_MAX && !x->read_compare && (v->gc[6] & 0x0c) == 0x04;
}

static inline uint32_t planar_offset(const struct vga_access *x, uint32_t a)
{
    return (((a & x->address_mask) + x->bank) & x->index_mask) * 4;
}

/* Offset of the word that holds the four planes of a window address. */
static inline uint32_t word_offset(const struct vga_access *x, uint32_t a)
{
    if (x->chain4) {
        a = (a & 0xffff) >> 2;
    } else if (x->replace_a0) {
        a = (a & ~1u) | (x->map_128k ? a >> 16 & 1 : x->page);
    }
    return planar_offset(x, a);
}

/* What lies on the write path between the CPU's byte and the four planes. */
static uint32_t write_data(const struct vga_access *x, uint32_t latch, uint8_t val)
{
    uint8_t rotated = (uint8_t)(val >> x->rotate | val << (8 - x->rotate));
    uint32_t mask = x->bit_mask, data;

    switch (x->write_mode) {
    case 0:
        data = rotated * 0x01010101u;
        data = (data & ~x->set_enable) | (x->set_reset & x->set_enable);
        break;
    case 1:
        return latch;
    case 2:
        data = vga_planes(val);
        break;
    default:
        data = x->set_reset;
        mask &= rotated * 0x01010101u;
        break;
    }
    switch (x->function) {
    case 1:
        data &= latch;
        break;
    case 2:
        data |= latch;
        break;
    case 3:
        data ^= latch;
        break;
    default:
        break;
    }
    return (data & mask) | (latch & ~mask);
}

static inline void write_byte(struct vga *v, uint32_t a, uint8_t val)
{
    const struct vga_access *x = &v->access;
    uint32_t off = word_offset(x, a), mask = x->map_mask, data;
    uint8_t *p = v->vram + off;

    if (x->chain4) {
        mask &= 0xffu << (a & 3) * 8;
    } else if (x->write_odd_even) {
        mask &= a & 1 ? 0xff00ff00u : 0x00ff00ffu;
    }
    data = write_data(x, v->latch, val);
    put32(p, (get32(p) & ~mask) | (data & mask));
    v->page_dirty[off >> PAGE_SHIFT] = 1;
    v->font_dirty |= (mask & 0x00ff0000u) != 0;
}

static inline uint8_t read_byte(struct vga *v, uint32_t a)
{
    const struct vga_access *x = &v->access;
    uint32_t word = get32(v->vram + word_offset(x, a));

    v->latch = word;
    if (x->read_compare) {
        uint32_t differ = (word ^ x->compare) & x->care;

        differ |= differ >> 16;
        return (uint8_t)~(differ | differ >> 8);
    }
    if (x->chain4) {
        return (uint8_t)(word >> (a & 3) * 8);
    }
    if (x->read_odd_even) {
        return (uint8_t)(word >> ((x->read_plane & 2) | (a & 1)) * 8);
    }
    return (uint8_t)(word >> x->read_plane * 8);
}

static uint32_t bank_offset(const struct vga *v, uint16_t bank, uint32_t a)
{
    unsigned shift = v->dispi[DISPI_ENABLE] & DISPI_BANK_32K ? 15 : 16;

    return (((uint32_t)bank << shift) + a) & (v->vram_size - 1);
}

static NOINLINE uint64_t read_any(struct vga *v, uint64_t off, unsigned size)
{
    uint64_t val = 0;
    unsigned i;

    if (v->access.packed) {
        for (i = 0; i < size; i++) {
            uint32_t at = bank_offset(v, v->read_bank, (uint32_t)off + i);

            val |= (uint64_t)v->vram[at] << i * 8;
        }
        return val;
    }
    for (i = 0; i < size; i++) {
        val |= (uint64_t)read_byte(v, (uint32_t)off + i) << i * 8;
    }
    return val;
}

static NOINLINE void write_any(struct vga *v, uint64_t off, unsigned size, uint64_t val)
{
    unsigned i;

    if (v->access.packed) {
        for (i = 0; i < size; i++) {
            uint32_t at = bank_offset(v, v->dispi[DISPI_BANK], (uint32_t)off + i);

            v->vram[at] = (uint8_t)(val >> i * 8);
            v->page_dirty[at >> PAGE_SHIFT] = 1;
        }
        return;
    }
    for (i = 0; i < size; i++) {
        write_byte(v, (uint32_t)off + i, (uint8_t)(val >> i * 8));
    }
}

/*
 * Bytes in the modes where nothing depends on the address but the place, with the logic at rest: a
 * byte of one plane, a byte to several, or the latch.  Everything else is read_any() and
 * write_any().
 */
static uint64_t mem_read(void *dev, uint64_t off, unsigned size)
{
    struct vga *v = dev;
    uint32_t word;

    if (UNLIKELY(!v->access.reads_plane || size != 1)) {
        return read_any(v, off, size);
    }
    word = get32(v->vram + planar_offset(&v->access, (uint32_t)off));
    v->latch = word;
    return (uint8_t)(word >> v->access.read_plane * 8);
}

static void mem_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct vga *v = dev;
    const struct vga_access *x = &v->access;
    uint32_t at, mask = x->map_mask, data;
    uint8_t *p;

    if (UNLIKELY(!x->copies || size != 1)) {
        write_any(v, off, size, val);
        return;
    }
    at = planar_offset(x, (uint32_t)off);
    data = x->write_mode ? v->latch : (uint8_t)val * 0x01010101u;
    p = v->vram + at;
    put32(p, (get32(p) & ~mask) | (data & mask));
    v->page_dirty[at >> PAGE_SHIFT] = 1;
    if (mask & 0x00ff0000u) {
        v->font_dirty = true;
    }
}

const struct io_ops vga_mem_ops = {mem_read, mem_write, 1, 4, "vga-memory"};
