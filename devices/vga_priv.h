/*
 * The display adapter from inside: shared by vga.c (registers, time), vga_mem.c (memory window),
 * vbe.c (DISPI) and vga_draw.c (scan-out).  Nothing else includes this.
 *
 * Video memory: byte 4 * n + p is plane p at plane address n; so one 32-bit word is what the four
 * planes hold at one address, the latch is one word, and the linear frame buffer shows the same
 * bytes.  Chain-4 keeps the linear order too (see vga_plane_index in vga_draw.c).
 * Invariants: everything under "derived" follows from the saved part (vga_changed); drawing never
 * changes the saved part, so a run does not depend on who looks at the screen, or how often.
 */
#ifndef OXBOW_DEVICES_VGA_PRIV_H
#define OXBOW_DEVICES_VGA_PRIV_H

#include "devices/vga.h"

enum {
    VGA_PLANE_SIZE = 65536,
    VGA_WINDOWS = 4, /* memory map selections of the graphics controller */
    VGA_PORT_WINDOWS = 5,
    VGA_CRTC_REGS = 0x19,
    VGA_SEQ_REGS = 5,
    VGA_GC_REGS = 9,
    VGA_ATTR_REGS = 0x15,
    VGA_MAX_DOTS = 2560 + 16 /* of one scan line before doubling, with what panning hides */
};

enum dispi_index {
    DISPI_ID,
    DISPI_XRES,
    DISPI_YRES,
    DISPI_BPP,
    DISPI_ENABLE,
    DISPI_BANK,
    DISPI_VIRT_WIDTH,
    DISPI_VIRT_HEIGHT,
    DISPI_X_OFFSET,
    DISPI_Y_OFFSET,
    DISPI_MEMORY_64K,
    DISPI_REGS
};

enum dispi_enable {
    DISPI_ENABLED = 0x01,
    DISPI_GETCAPS = 0x02,
    DISPI_BANK_32K = 0x10,
    DISPI_8BIT_DAC = 0x20,
    DISPI_LFB_ENABLED = 0x40,
    DISPI_NOCLEARMEM = 0x80
};

struct vga;

struct vga_port_window {
    struct vga *v;
    uint16_t base;
};

/* What a CPU access to the memory window does, from sequencer and graphics controller. */
struct vga_access {
    uint32_t map_mask, set_reset, set_enable, bit_mask, compare, care; /* a byte per plane */
    uint32_t address_mask, index_mask;
    uint32_t bank;      /* added to a plane address (DISPI, 4 bits a pixel) */
    uint32_t page;      /* what replaces address bit 0 where odd/even chaining drops it */
    bool packed;        /* DISPI with 8 bits a pixel and more: bytes through the bank registers */
    bool planar;        /* neither packed nor chained, odd/even or paged */
    bool copies;        /* planar, and what is written is the CPU's byte, or the latch, as it is */
    bool reads_plane;   /* planar, and reads are bytes of one plane */
    bool chain4, write_odd_even, read_odd_even, replace_a0, map_128k, read_compare;
    uint8_t write_mode, rotate, function, read_plane;
};

/* The beam: everything in ticks of the dot clock (characters times dots) and scan lines. */
struct vga_timing {
    struct clock clock;
    uint32_t line_ticks, shown_ticks;
    uint32_t lines, shown_lines;
    uint32_t retrace, retrace_lines; /* first line of vertical retrace, and its length */
};

/* The scan line in which the beam was last looked for, so that the next look need not divide. */
struct vga_beam {
    uint64_t from, length; /* icount; length 0: not known */
    uint64_t ticks;        /* since the epoch, at the beginning of the line */
    uint64_t retraces;     /* as vga_retraces() has them throughout the line */
    uint32_t line;
};

enum vga_kind { VGA_BLANK, VGA_TEXT, VGA_PLANAR, VGA_PACKED };

/* What the scan-out depends on besides memory, colours and the cursor; compared as bytes. */
struct vga_scan {
    uint32_t kind, w, h;
    uint32_t start, pitch; /* plane addresses; VGA_PACKED: bytes */
    uint32_t line_compare; /* last line of the upper part */
    uint32_t chars;
    uint8_t cell;          /* dots of a character clock, 8 or 9 */
    uint8_t wide;          /* dots doubled by half the dot clock: 0 or 1 */
    uint8_t double_scan, max_row, preset_row;
    uint8_t pan, pan_top_only, byte_pan;
    uint8_t row_13, row_14;     /* row counter replaces address bits 13, 14 */
    uint8_t shift;              /* of the address: 0 byte, 1 word, 2 doubleword */
    uint8_t word_wrap;          /* counter bit that word mode puts into bit 0 */
    uint8_t count_shift, load_shift;
    uint8_t chain4, packed_dots, interleave, wide_pixels;
    uint8_t line_graphics, blink, underline_row;
    uint8_t linear;             /* DISPI 4 bits a pixel: no address games, no 64 KB wrap */
    uint8_t bpp;
    uint8_t pad;
    uint32_t font[2];           /* plane addresses; [1] is for characters with attribute bit 3 */
};

/* What was drawn of one row of characters. */
struct vga_text_row {
    int cursor; /* column or -1 */
    bool blinks;
};

struct vga {
    struct device dev;

    /* saved */
    uint8_t misc, feature, subsystem;
    uint8_t crtc_index, seq_index, gc_index, attr_index;
    uint8_t crtc[VGA_CRTC_REGS], seq[VGA_SEQ_REGS], gc[VGA_GC_REGS], attr[VGA_ATTR_REGS];
    bool attr_data;    /* flip-flop: the next write to 3C0h is data */
    uint8_t dac[768];
    uint8_t dac_mask, dac_address, dac_sub, dac_state;
    uint8_t dac_buffer[3];
    uint32_t latch;    /* plane 0 in the low byte */
    uint16_t dispi_index;
    uint16_t dispi[DISPI_REGS];
    uint16_t read_bank;     /* dispi[DISPI_BANK] is the one for writes */
    uint64_t epoch;         /* icount at which the present timing started with line 0 */
    uint64_t retraces0;     /* vertical retraces before that */
    uint32_t old_start;     /* start address in effect ... */
    uint64_t start_changed; /* ... until the retrace after this number */
    uint64_t irq_armed;     /* retraces when the vertical interrupt latch was last cleared */
    struct event retrace;

    /* wiring */
    struct irq_line irq;
    uint8_t *vram;
    uint32_t vram_size;
    int window[VGA_WINDOWS], linear, lfb;
    struct vga_port_window port_window[VGA_PORT_WINDOWS];

    /* derived */
    struct vga_access access;
    struct vga_timing timing;
    struct vga_beam beam;
    int placed; /* the window that is on, VGA_WINDOWS: plain RAM, -1: none */
    struct vga_scan scan; /* without start address, see vga_current_scan() */
    bool scan_valid;

    /* scan-out */
    struct surface surface;
    struct vga_scan drawn;
    bool drawn_valid;
    bool font_dirty;   /* plane 2 was written through the window */
    bool drawn_blink;
    size_t px_cap;     /* pixels */
    uint32_t lut[256]; /* dot value to colour, as drawn */
    uint8_t *page_dirty; /* a flag per 4 KB, set by the window */
    uint8_t *page_used;  /* may hold something; sticky, gathered from the other flags */
    uint8_t *page_seen;  /* scratch of one update: the same from all mappings */
    uint16_t *cells;     /* character and attribute as drawn */
    size_t cells_cap;
    struct vga_text_row *rows;
    size_t rows_cap;
};

ALWAYS_INLINE struct vga *vga_of(struct device *d)
{
    return CONTAINER_OF(d, struct vga, dev);
}

/* vga.c */
void vga_changed(struct vga *v); /* registers that anything may follow from have been written */
uint64_t vga_retraces(const struct vga *v, uint64_t now);
uint64_t vga_retraces_now(const struct vga *v);
uint32_t vga_start_address(const struct vga *v, uint64_t retraces); /* latched at the last one */
/* The cursor changes every 8 frames, characters every 16; true while they show. */
ALWAYS_INLINE bool vga_cursor_blink(uint64_t retraces)
{
    return !(retraces & 8);
}
ALWAYS_INLINE bool vga_text_blink(uint64_t retraces)
{
    return !(retraces & 16);
}
bool vga_page_used(const struct vga *v, uint32_t page);
void vga_clear_vram(struct vga *v, uint32_t bytes); /* from the start */

/* A nibble of plane bits as a byte mask per plane. */
ALWAYS_INLINE uint32_t vga_planes(unsigned bits)
{
    return ((bits & 15) * 0x00204081u & 0x01010101u) * 0xff;
}

/* vga_mem.c */
void vga_derive_access(struct vga *v);
extern const struct io_ops vga_mem_ops;
bool vga_mem_linear(const struct vga *v); /* the window may be plain RAM */

/* vbe.c */
extern const struct io_ops vga_dispi_ops;
void vga_dispi_reset(struct vga *v);
bool vga_dispi_valid(const struct vga *v);
uint32_t vga_dispi_pitch(const struct vga *v); /* bytes (of a plane, at 4 bits a pixel) */
ALWAYS_INLINE bool vga_dispi_on(const struct vga *v)
{
    return v->dispi[DISPI_ENABLE] & DISPI_ENABLED;
}

/* vga_draw.c */
uint8_t vga_beam_colour(struct vga *v, uint32_t line, uint32_t tick); /* DAC index at beam() */
void vga_draw_free(struct vga *v);

#endif
