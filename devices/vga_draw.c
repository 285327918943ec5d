/*
 * Scan-out: what a monitor behind the adapter shows, as a surface.
 *
 * IBM Video Subsystem, "CRT Controller" (address counter, row counter, line compare), "Graphics
 * Controller" (shift modes) and "Attribute Controller".  A scan line goes the way of the hardware:
 * counter -> plane address -> 32 bits of the planes -> dots -> palette and DAC, one character clock
 * at a time.  The surface has every dot and line of the beam, so modes that double them look
 * doubled.
 * What was drawn last is kept as values (struct vga_scan, colours, character cells) and compared
 * with what is there now; memory of graphics modes is compared by written pages.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/vga_priv.h"
#include "memory/bytes.h"

enum { VGA_PAGES = 4 * VGA_PLANE_SIZE >> PAGE_SHIFT, TEXT_CELLS = 132 * 60 };

/* Cursor and blinking at the moment of drawing. */
struct look {
    int32_t cursor; /* counter value of the cursor's cell, -1: not to be seen */
    uint8_t first, last;
    bool blink; /* blinking characters show */
};

/* A scan line in terms of the counters. */
struct line {
    uint32_t addr;
    uint8_t row;
    bool top; /* above the split */
};

/* Registers -> struct vga_scan */

static bool blanked(const struct vga *v)
{
    if (!(v->attr_index & 0x20) || (v->seq[1] & 0x20)) {
        return true;
    }
    return !vga_dispi_on(v) && ((v->seq[0] & 3) != 3 || !(v->crtc[0x17] & 0x80));
}

static void scan_dispi(const struct vga *v, struct vga_scan *s)
{
    const uint16_t *r = v->dispi;

    s->w = r[DISPI_XRES];
    s->h = r[DISPI_YRES];
    s->bpp = (uint8_t)r[DISPI_BPP];
    s->pitch = vga_dispi_pitch(v);
    s->start = r[DISPI_Y_OFFSET] * s->pitch;
    s->line_compare = UINT32_MAX;
    if (s->bpp == 4) {
        s->kind = VGA_PLANAR;
        s->start += r[DISPI_X_OFFSET] / 8u;
        s->chars = s->w / 8;
        s->cell = 8;
        s->linear = 1;
    } else {
        s->kind = VGA_PACKED;
        s->start += r[DISPI_X_OFFSET] * ((s->bpp + 7u) / 8);
    }
}

static void scan_addressing(const struct vga *v, struct vga_scan *s)
{
    const uint8_t *r = v->crtc;
    unsigned twice = r[0x17] >> 2 & 1;

    s->pitch = r[0x13] * 2u;
    s->line_compare = r[0x18] | (r[7] & 0x10u) << 4 | (r[9] & 0x40u) << 3;
    s->line_compare = s->line_compare << twice | twice;
    s->double_scan = r[9] >> 7;
    s->max_row = r[9] & 0x1f;
    s->preset_row = r[8] & 0x1f;
    s->byte_pan = r[8] >> 5 & 3;
    s->row_13 = !(r[0x17] & 1);
    s->row_14 = !(r[0x17] & 2);
    s->shift = r[0x14] & 0x40 ? 2 : r[0x17] & 0x40 ? 0 : 1;
    s->word_wrap = r[0x17] & 0x20 ? 15 : 13;
    s->count_shift = r[0x14] & 0x20 ? 2 : r[0x17] >> 3 & 1;
    s->load_shift = v->seq[1] & 0x10 ? 2 : v->seq[1] >> 2 & 1;
    s->chain4 = v->seq[4] >> 3 & 1;
}

/* Where in plane 2 a character map starts, from its three bits in the order 0, 1, 2. */
static uint32_t font_address(unsigned map)
{
    return (map & 3) << 14 | (map & 4) << 11;
}

static void scan_vga(const struct vga *v, struct vga_scan *s)
{
    unsigned map = v->seq[3];

    s->kind = v->gc[6] & 1 ? VGA_PLANAR : VGA_TEXT;
    s->cell = v->seq[1] & 1 ? 8 : 9;
    s->wide = v->seq[1] >> 3 & 1;
    s->chars = MIN(v->crtc[1] + 1u, v->crtc[0] + 5u);
    s->w = s->chars * s->cell << s->wide;
    s->h = MIN(v->timing.shown_lines, v->timing.lines);
    scan_addressing(v, s);
    if (s->cell == 9) {
        s->pan = v->attr[0x13] >= 8 ? 0 : v->attr[0x13] + 1;
    } else {
        s->pan = v->attr[0x13] & 7;
    }
    s->pan_top_only = v->attr[0x10] >> 5 & 1;
    s->wide_pixels = v->attr[0x10] >> 6 & 1;
    if (s->kind == VGA_PLANAR) {
        s->packed_dots = v->gc[5] >> 6 & 1;
        s->interleave = v->gc[5] >> 5 & 1;
    } else {
        s->line_graphics = v->attr[0x10] >> 2 & 1;
        s->blink = v->attr[0x10] >> 3 & 1;
        s->underline_row = v->crtc[0x14] & 0x1f;
        s->font[0] = font_address((map & 3) | (map >> 2 & 4));
        s->font[1] = font_address((map >> 2 & 3) | (map >> 3 & 4));
    }
}

static uint32_t dac_colour(const struct vga *v, uint8_t index)
{
    const uint8_t *c = v->dac + (index & v->dac_mask) * 3;
    uint32_t r = c[0], g = c[1], b = c[2];

    if (!(v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC)) {
        r = r << 2 | r >> 4;
        g = g << 2 | g >> 4;
        b = b << 2 | b >> 4;
    }
    return r << 16 | g << 8 | b;
}

static void derive_scan(struct vga *v)
{
    struct vga_scan *s = &v->scan;
    uint32_t w, h;

    memset(s, 0, sizeof *s);
    if (vga_dispi_on(v)) {
        scan_dispi(v, s);
    } else if (v->crtc[0] == 0) {
        /* Nobody has set a mode yet. */
        s->w = 720;
        s->h = 400;
    } else {
        scan_vga(v, s);
    }
    if (s->kind != VGA_BLANK && blanked(v)) {
        w = s->w;
        h = s->h;
        memset(s, 0, sizeof *s);
        s->w = w;
        s->h = h;
    }
    v->scan_valid = true;
}

/* The present shape, with the start address that the last retrace latched. */
static const struct vga_scan *current_scan(struct vga *v, uint64_t retraces)
{
    struct vga_scan *s = &v->scan;

    if (!v->scan_valid) {
        derive_scan(v);
    }
    if (s->kind == VGA_TEXT || (s->kind == VGA_PLANAR && !s->linear)) {
        s->start = vga_start_address(v, retraces);
    } else if (s->kind == VGA_BLANK) {
        /* off: black, else the border colour everywhere */
        s->start = v->attr_index & 0x20 ? 0 : dac_colour(v, v->attr[0x11]);
    }
    return s;
}

static void line_at(const struct vga_scan *s, uint32_t y, struct line *l)
{
    uint32_t rows = s->max_row + 1u, first, preset = s->preset_row, n = 0;

    l->top = y <= s->line_compare;
    if (!l->top) {
        y -= s->line_compare + 1;
        preset = 0;
    }
    y >>= s->double_scan;
    /* A preset above the last row counts on to 31 before it starts again. */
    first = (preset < rows ? rows : 32) - preset;
    if (y < first) {
        l->row = (uint8_t)(preset + y);
    } else {
        y -= first;
        n = 1 + y / rows;
        l->row = (uint8_t)(y % rows);
    }
    l->addr = (l->top ? s->start : 0) + n * s->pitch;
    if (l->top || !s->pan_top_only) {
        l->addr += s->byte_pan;
    }
}

/* Memory -> dots */

static inline uint32_t counter(const struct vga_scan *s, uint32_t addr, uint32_t k)
{
    return addr + (k >> s->count_shift);
}

/*
 * Where the word of the four planes lies for a value of the address counter.
 * Chain-4 memory is kept in the order of the CPU's addresses A.  The hardware has A at plane
 * address P = A[15:2] << 2 | A[15:14]; going from P to A / 4 makes the tidy case the identity,
 * and it is a permutation, so untidy mixtures of doubleword and byte addressing show what they
 * should, too.
 */
static inline uint32_t vga_plane_index(const struct vga_scan *s, uint32_t c, unsigned row)
{
    uint32_t a = c;

    if (s->linear) {
        return c;
    }
    c &= 0xffff;
    if (s->shift == 1) {
        a = c << 1 | (c >> s->word_wrap & 1);
    } else if (s->shift == 2) {
        a = c << 2 | (c >> 12 & 3);
    }
    if (s->row_13) {
        a = (a & ~0x2000u) | (row & 1) << 13;
    }
    if (s->row_14) {
        a = (a & ~0x4000u) | (row & 2) << 13;
    }
    a &= 0xffff;
    return s->chain4 ? a >> 2 | ((a ^ a >> 14) & 3) << 14 : a;
}

static inline uint32_t fetch(const struct vga *v, const struct vga_scan *s, uint32_t c,
                             unsigned row)
{
    return get32(v->vram + (size_t)vga_plane_index(s, c, row) * 4);
}

/* Four bits as four dots, the leftmost in bit 3; as bytes in memory order. */
static const uint8_t dots_of[16][4] = {
    {0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 1, 0}, {0, 0, 1, 1}, {0, 1, 0, 0}, {0, 1, 0, 1},
    {0, 1, 1, 0}, {0, 1, 1, 1}, {1, 0, 0, 0}, {1, 0, 0, 1}, {1, 0, 1, 0}, {1, 0, 1, 1},
    {1, 1, 0, 0}, {1, 1, 0, 1}, {1, 1, 1, 0}, {1, 1, 1, 1},
};

/* Lanes of bytes: no carry from one to the next, so the order of the host does not matter. */
static inline uint32_t spread(unsigned bits)
{
    uint32_t lanes;

    memcpy(&lanes, dots_of[bits & 15], 4);
    return lanes;
}

static inline void planar_dots(uint32_t word, uint8_t *dots)
{
    uint32_t left = spread(word >> 4) | spread(word >> 12) << 1 | spread(word >> 20) << 2
                    | spread(word >> 28) << 3;
    uint32_t right = spread(word) | spread(word >> 8) << 1 | spread(word >> 16) << 2
                     | spread(word >> 24) << 3;

    memcpy(dots, &left, 4);
    memcpy(dots + 4, &right, 4);
}

/* Two bits a dot: planes 0 and 2 make the left four dots, planes 1 and 3 the right ones. */
static void interleaved_dots(uint32_t word, uint8_t *dots)
{
    unsigned i;

    for (i = 0; i < 4; i++) {
        unsigned at = 6 - 2 * i;

        dots[i] = (uint8_t)((word >> at & 3) | (word >> (16 + at) & 3) << 2);
        dots[4 + i] = (uint8_t)((word >> (8 + at) & 3) | (word >> (24 + at) & 3) << 2);
    }
}

static void packed_dots(uint32_t word, uint8_t *dots)
{
    unsigned i;

    for (i = 0; i < 4; i++) {
        dots[2 * i] = (uint8_t)(word >> (8 * i + 4) & 15);
        dots[2 * i + 1] = (uint8_t)(word >> 8 * i & 15);
    }
}

/* The word that the serializers hold at character k; between loads the planes are chained. */
static inline uint32_t serial_word(const struct vga *v, const struct vga_scan *s, uint32_t addr,
                                   unsigned row, uint32_t k)
{
    uint32_t since = k & ((1u << s->load_shift) - 1);
    uint32_t word = fetch(v, s, counter(s, addr, k - since), row);

    if (since == 0) {
        return word;
    }
    return s->load_shift == 1 ? word >> 8 & 0x00ff00ff : word >> 8 * since;
}

static void graphics_dots(const struct vga *v, const struct vga_scan *s, const struct line *l,
                          uint32_t k, uint32_t n, uint8_t *dots)
{
    unsigned i;

    for (n += k; k < n; k++, dots += s->cell) {
        uint32_t word = serial_word(v, s, l->addr, l->row, k);

        if (s->packed_dots) {
            packed_dots(word, dots);
        } else if (s->interleave) {
            interleaved_dots(word, dots);
        } else {
            planar_dots(word, dots);
        }
        if (s->wide_pixels) {
            for (i = 0; i < 8; i += 2) {
                dots[i] = dots[i + 1] = (uint8_t)(dots[i] << 4 | dots[i + 1]);
            }
        }
        if (s->cell == 9) {
            dots[8] = 0;
        }
    }
}

/* The nine dots of a character, the first in bit 8, and its colours. */
static inline unsigned text_cell(const struct vga *v, const struct vga_scan *s,
                                 const struct line *l, const struct look *look, uint32_t k,
                                 unsigned *fg, unsigned *bg)
{
    uint32_t c = counter(s, l->addr, k) & 0xffff, word = fetch(v, s, c, l->row);
    unsigned ch = word & 0xff, attr = word >> 8 & 0xff;
    uint32_t glyph = s->font[attr >> 3 & 1] + ch * 32 + l->row;
    unsigned bits = (unsigned)v->vram[glyph * 4 + 2] << 1;

    *fg = attr & 15;
    *bg = attr >> 4;
    if (s->line_graphics && (ch & 0xe0) == 0xc0) {
        bits |= bits >> 1 & 1;
    }
    if (s->blink) {
        *bg &= 7;
        if ((attr & 0x80) && !look->blink) {
            bits = 0;
        }
    }
    if ((attr & 0x77) == 0x01 && l->row == s->underline_row) {
        bits = 0x1ff;
    }
    if (l->row >= look->first && l->row <= look->last && c == (uint32_t)look->cursor) {
        bits = 0x1ff;
    }
    return bits;
}

static void text_dots(const struct vga *v, const struct vga_scan *s, const struct line *l,
                      const struct look *look, uint32_t k, uint32_t n, uint8_t *dots)
{
    for (n += k; k < n; k++, dots += s->cell) {
        unsigned fg, bg, bits = text_cell(v, s, l, look, k, &fg, &bg);
        uint32_t lanes = spread(bits >> 5) * (fg ^ bg) ^ bg * 0x01010101u;

        memcpy(dots, &lanes, 4);
        lanes = spread(bits >> 1) * (fg ^ bg) ^ bg * 0x01010101u;
        memcpy(dots + 4, &lanes, 4);
        if (s->cell == 9) {
            dots[8] = (uint8_t)(bits & 1 ? fg : bg);
        }
    }
}

static void line_dots(const struct vga *v, const struct vga_scan *s, const struct line *l,
                      const struct look *look, uint32_t k, uint32_t n, uint8_t *dots)
{
    if (s->kind == VGA_TEXT) {
        text_dots(v, s, l, look, k, n, dots);
    } else {
        graphics_dots(v, s, l, k, n, dots);
    }
}

static unsigned line_pan(const struct vga_scan *s, const struct line *l)
{
    return l->top || !s->pan_top_only ? s->pan : 0;
}

static struct look look_now(const struct vga *v, bool blinking, uint64_t retraces)
{
    const uint8_t *r = v->crtc;
    struct look k = {-1, r[0x0a] & 0x1f, r[0x0b] & 0x1f, true};

    if (!(r[0x0a] & 0x20) && k.first <= k.last && (!blinking || vga_cursor_blink(retraces))) {
        k.cursor = (int32_t)(((uint32_t)r[0x0e] << 8 | r[0x0f]) + (r[0x0b] >> 5 & 3)) & 0xffff;
    }
    if (blinking) {
        k.blink = vga_text_blink(retraces);
    }
    return k;
}

/* Dots -> colours */

/* The DAC index of a dot.  Blinking in graphics modes toggles bit 3 behind the plane enable. */
static uint8_t dot_index(const struct vga *v, const struct vga_scan *s, uint8_t dot, bool toggle)
{
    const uint8_t *a = v->attr;
    unsigned index;

    if (s->wide_pixels) {
        return dot & (uint8_t)(a[0x12] | a[0x12] << 4);
    }
    index = a[(dot & a[0x12]) ^ (toggle ? 8 : 0)];
    if (a[0x10] & 0x80) {
        index = (index & 0x0f) | (a[0x14] & 3u) << 4;
    }
    return (uint8_t)(index | (a[0x14] & 0x0cu) << 4);
}

static bool graphics_toggle(const struct vga *v, const struct vga_scan *s, uint64_t retraces)
{
    return s->kind == VGA_PLANAR && (v->attr[0x10] & 0x08) && !vga_text_blink(retraces);
}

static void make_lut(const struct vga *v, const struct vga_scan *s, uint32_t *lut)
{
    bool toggle = graphics_toggle(v, s, vga_retraces_now(v));
    unsigned i;

    memset(lut, 0, 256 * sizeof *lut);
    if (s->kind == VGA_PACKED) {
        for (i = 0; s->bpp == 8 && i < 256; i++) {
            lut[i] = dac_colour(v, (uint8_t)i);
        }
    } else if (s->kind != VGA_BLANK) {
        for (i = 0; i < (s->wide_pixels ? 256u : 16u); i++) {
            lut[i] = dac_colour(v, dot_index(v, s, (uint8_t)i, toggle));
        }
    }
}

uint8_t vga_beam_colour(struct vga *v, uint32_t line, uint32_t tick)
{
    uint64_t retraces = v->beam.retraces;
    const struct vga_scan *s = current_scan(v, retraces);
    uint32_t dot, cell, at;
    uint8_t dots[9];
    struct look look;
    struct line l;

    if (line >= s->h || tick >= s->w || s->kind == VGA_BLANK) {
        return v->attr[0x11];
    }
    if (s->kind == VGA_PACKED) {
        return s->bpp == 8 ? v->vram[s->start + line * s->pitch + tick] : 0;
    }
    line_at(s, line, &l);
    dot = (tick >> s->wide) + line_pan(s, &l);
    cell = s->cell == 8 ? dot / 8 : dot / 9;
    at = dot - cell * s->cell;
    look = look_now(v, true, retraces);
    if (s->kind == VGA_TEXT) {
        unsigned fg, bg, bits = text_cell(v, s, &l, &look, cell, &fg, &bg);

        return dot_index(v, s, (uint8_t)(bits >> (8 - at) & 1 ? fg : bg), false);
    }
    line_dots(v, s, &l, &look, cell, 1, dots);
    return dot_index(v, s, dots[at], graphics_toggle(v, s, retraces));
}

/* Drawing */

static void touch(struct vga *v, uint32_t y)
{
    struct surface *f = &v->surface;

    if (f->dirty_y0 == f->dirty_y1) {
        f->dirty_y0 = y;
    }
    f->dirty_y1 = y + 1;
}

static void emit(struct vga *v, const struct vga_scan *s, const uint8_t *dots, uint32_t y)
{
    uint32_t *px = v->surface.px + (size_t)y * v->surface.stride, n = s->w >> s->wide, i;

    if (s->wide) {
        for (i = 0; i < n; i++) {
            px[2 * i] = px[2 * i + 1] = v->lut[dots[i]];
        }
    } else {
        for (i = 0; i < n; i++) {
            px[i] = v->lut[dots[i]];
        }
    }
    touch(v, y);
}

static void draw_line(struct vga *v, const struct vga_scan *s, const struct line *l,
                      const struct look *look, uint32_t y)
{
    uint8_t dots[VGA_MAX_DOTS];
    unsigned pan = line_pan(s, l);

    line_dots(v, s, l, look, 0, s->chars + (pan ? 1 : 0), dots);
    emit(v, s, dots + pan, y);
}

static void draw_blank(struct vga *v, const struct vga_scan *s)
{
    uint32_t y, x;

    for (y = 0; y < s->h; y++) {
        uint32_t *px = v->surface.px + (size_t)y * v->surface.stride;

        for (x = 0; x < s->w; x++) {
            px[x] = s->start;
        }
        touch(v, y);
    }
}

/* Compares a row of cells with what was drawn, and remembers it. */
static bool text_row_changed(struct vga *v, const struct vga_scan *s, const struct line *l,
                             const struct look *look, uint32_t number)
{
    uint16_t *cells = v->cells + (size_t)number * (s->chars + 1);
    struct vga_text_row *row = &v->rows[number], now = {-1, false};
    bool changed = false;
    uint32_t k;

    for (k = 0; k <= s->chars; k++) {
        uint32_t c = counter(s, l->addr, k) & 0xffff;
        uint16_t cell = (uint16_t)fetch(v, s, c, l->row);

        changed |= cells[k] != cell;
        cells[k] = cell;
        now.blinks |= s->blink && (cell & 0x8000);
        if (c == (uint32_t)look->cursor) {
            now.cursor = (int)k;
        }
    }
    /* The shape of the cursor is in what was drawn, too. */
    if (now.cursor >= 0) {
        now.cursor |= look->first << 16 | look->last << 24;
    }
    changed |= now.cursor != row->cursor || (now.blinks && v->drawn_blink != look->blink);
    *row = now;
    return changed;
}

static void draw_text(struct vga *v, const struct vga_scan *s, bool full)
{
    struct look look = look_now(v, true, vga_retraces_now(v));
    struct line l, next;
    uint32_t y, end, number = 0;

    for (y = 0; y < s->h; number++) {
        bool changed;

        line_at(s, y, &l);
        changed = text_row_changed(v, s, &l, &look, number) || full;
        next = l;
        end = y;
        do {
            if (changed) {
                draw_line(v, s, &next, &look, end);
            }
            if (++end < s->h) {
                line_at(s, end, &next);
            }
        } while (end < s->h && next.addr == l.addr && next.top == l.top);
        y = end;
    }
    v->drawn_blink = look.blink;
}

/* Addresses of a line are one run of words. */
static bool plain_addresses(const struct vga_scan *s)
{
    return s->linear
           || (!s->row_13 && !s->row_14 && s->shift == (s->chain4 ? 2 : 0));
}

static bool pages_written(const struct vga *v, uint32_t first, uint32_t last)
{
    first >>= PAGE_SHIFT;
    last >>= PAGE_SHIFT;
    return memchr(v->page_seen + first, 1, last - first + 1) != NULL;
}

static bool line_written(const struct vga *v, const struct vga_scan *s, const struct line *l)
{
    uint32_t first = vga_plane_index(s, counter(s, l->addr, 0), l->row);
    uint32_t end = s->chars - (line_pan(s, l) ? 0 : 1);
    uint32_t last = vga_plane_index(s, counter(s, l->addr, end), l->row);

    if (!plain_addresses(s) || last < first) {
        return pages_written(v, 0, 4 * VGA_PLANE_SIZE - 1);
    }
    return pages_written(v, first * 4, last * 4 + 3);
}

static void draw_planar(struct vga *v, const struct vga_scan *s, bool full)
{
    struct look look = look_now(v, true, vga_retraces_now(v));
    struct line l, before = {0, 0, false};
    bool drawn = false; /* the line before, by this update */
    uint32_t y;

    for (y = 0; y < s->h; y++, before = l) {
        line_at(s, y, &l);
        if (!full && !line_written(v, s, &l)) {
            drawn = false;
            continue;
        }
        if (drawn && l.addr == before.addr && l.row == before.row && l.top == before.top) {
            uint32_t *px = v->surface.px + (size_t)y * v->surface.stride;

            memcpy(px, px - v->surface.stride, s->w * sizeof *px);
            touch(v, y);
        } else {
            draw_line(v, s, &l, &look, y);
        }
        drawn = true;
    }
}

/* Fields of a pixel, widened so that full is 255. */
static inline uint32_t from_555(unsigned p)
{
    uint32_t r = p >> 10 & 31, g = p >> 5 & 31, b = p & 31;

    return (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
}

static inline uint32_t from_565(unsigned p)
{
    uint32_t r = p >> 11, g = p >> 5 & 63, b = p & 31;

    return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

static void packed_line(const struct vga *v, const struct vga_scan *s, const uint8_t *p,
                        uint32_t *px)
{
    uint32_t x;

    switch (s->bpp) {
    case 8:
        for (x = 0; x < s->w; x++) {
            px[x] = v->lut[p[x]];
        }
        break;
    case 15:
        for (x = 0; x < s->w; x++) {
            px[x] = from_555(get16(p + 2 * x));
        }
        break;
    case 16:
        for (x = 0; x < s->w; x++) {
            px[x] = from_565(get16(p + 2 * x));
        }
        break;
    case 24:
        for (x = 0; x < s->w; x++) {
            px[x] = get16(p + 3 * x) | (uint32_t)p[3 * x + 2] << 16;
        }
        break;
    default:
        for (x = 0; x < s->w; x++) {
            px[x] = get32(p + 4 * x) & 0xffffff;
        }
        break;
    }
}

static void draw_packed(struct vga *v, const struct vga_scan *s, bool full)
{
    uint32_t y, bytes = s->w * ((s->bpp + 7u) / 8);

    for (y = 0; y < s->h; y++) {
        uint32_t at = s->start + y * s->pitch;

        if (full || pages_written(v, at, at + bytes - 1)) {
            packed_line(v, s, v->vram + at, v->surface.px + (size_t)y * v->surface.stride);
            touch(v, y);
        }
    }
}

/* Merges what was written through the window, chain-4 RAM and the frame buffer, and forgets it. */
static void collect_pages(struct vga *v, const struct vga_scan *s)
{
    struct bus *mem = v->dev.env->mem;
    uint32_t all = v->vram_size >> PAGE_SHIFT, pages = vga_dispi_on(v) ? all : VGA_PAGES, i;
    bool direct = false;

    for (i = 0; i < pages; i++) {
        uint64_t off = (uint64_t)i << PAGE_SHIFT;
        bool written = bus_dirty_test(mem, v->lfb, off) || bus_dirty_test(mem, v->linear, off);

        v->page_seen[i] = written || v->page_dirty[i];
        direct |= written;
    }
    for (i = 0; i < all; i++) {
        v->page_used[i] |= direct ? vga_page_used(v, i) : v->page_dirty[i];
    }
    memset(v->page_dirty, 0, all);
    if (direct) {
        bus_dirty_clear(mem, v->lfb);
        bus_dirty_clear(mem, v->linear);
        v->font_dirty |= s->kind == VGA_TEXT;
    }
}

static bool grow(void **p, size_t *cap, size_t count, size_t size)
{
    void *bigger;

    if (count <= *cap) {
        return true;
    }
    bigger = realloc(*p, count * size);
    if (!bigger) {
        return false;
    }
    memset((char *)bigger + *cap * size, 0, (count - *cap) * size);
    *p = bigger;
    *cap = count;
    return true;
}

/* Room for the surface and for what is remembered of it. */
static bool make_room(struct vga *v, const struct vga_scan *s)
{
    struct surface *f = &v->surface;
    void *px = f->px, *cells = v->cells, *rows = v->rows;
    size_t lines = s->kind == VGA_TEXT ? s->h : 0;
    bool ok = grow(&px, &v->px_cap, (size_t)s->w * s->h, sizeof *f->px);

    ok = grow(&cells, &v->cells_cap, lines * (s->chars + 1), sizeof *v->cells) && ok;
    ok = grow(&rows, &v->rows_cap, lines, sizeof *v->rows) && ok;
    f->px = px;
    v->cells = cells;
    v->rows = rows;
    f->w = f->stride = ok ? s->w : 0;
    f->h = ok ? s->h : 0;
    return ok;
}

const struct surface *vga_update(struct device *d)
{
    struct vga *v = vga_of(d);
    struct vga_scan s = *current_scan(v, vga_retraces_now(v));
    uint32_t lut[256];
    bool full = !v->drawn_valid || memcmp(&s, &v->drawn, sizeof s) != 0;

    v->surface.dirty_y0 = v->surface.dirty_y1 = 0;
    if (full && !make_room(v, &s)) {
        v->drawn_valid = false;
        v->surface.seq++;
        return &v->surface;
    }
    make_lut(v, &s, lut);
    if (memcmp(lut, v->lut, sizeof lut) != 0) {
        memcpy(v->lut, lut, sizeof lut);
        full = full || s.kind != VGA_BLANK;
    }
    collect_pages(v, &s);
    if (s.kind == VGA_TEXT) {
        draw_text(v, &s, full || v->font_dirty);
    } else if (s.kind == VGA_PLANAR) {
        draw_planar(v, &s, full);
    } else if (s.kind == VGA_PACKED) {
        draw_packed(v, &s, full);
    } else if (full) {
        draw_blank(v, &s);
    }
    v->font_dirty = false;
    v->drawn = s;
    v->drawn_valid = true;
    if (v->surface.dirty_y1 != v->surface.dirty_y0) {
        v->surface.seq++;
    }
    return &v->surface;
}

void vga_text(struct device *d, struct text_screen *t)
{
    struct vga *v = vga_of(d);
    struct vga_scan s = *current_scan(v, vga_retraces_now(v));
    struct look look = look_now(v, false, vga_retraces_now(v));
    struct line l, before = {0, 0, false};
    uint32_t y, k;

    memset(t, 0, sizeof *t);
    t->cursor_x = t->cursor_y = -1;
    if (s.kind != VGA_TEXT) {
        return;
    }
    t->cols = s.chars;
    for (y = 0; y < s.h; y++, before = l) {
        line_at(&s, y, &l);
        if (y > 0 && l.addr == before.addr && l.top == before.top) {
            continue;
        }
        if ((t->rows + 1) * t->cols > TEXT_CELLS) {
            break;
        }
        for (k = 0; k < s.chars; k++) {
            uint32_t c = counter(&s, l.addr, k) & 0xffff, word = fetch(v, &s, c, l.row);

            t->ch[t->rows * t->cols + k] = (uint8_t)word;
            t->attr[t->rows * t->cols + k] = (uint8_t)(word >> 8);
            if (c == (uint32_t)look.cursor && look.first <= s.max_row) {
                t->cursor_x = (int)k;
                t->cursor_y = (int)t->rows;
            }
        }
        t->rows++;
    }
}

void vga_draw_free(struct vga *v)
{
    free(v->surface.px);
    free(v->cells);
    free(v->rows);
}
