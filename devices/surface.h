/*
 * What a display adapter shows: pixels that the front end pulls, and the text behind them.
 */
#ifndef OXBOW_DEVICES_SURFACE_H
#define OXBOW_DEVICES_SURFACE_H

#include "../memory/base.h"

struct surface {
    uint32_t *px; /* 0x00RRGGBB, host order; owned by the adapter, valid until its next update */
    unsigned w, h, stride; /* pixels; stride in pixels */
    uint64_t seq;          /* grows whenever a pixel or the size changed */
    unsigned dirty_y0, dirty_y1; /* rows [y0, y1) changed since the last update */
};

/* Text mode contents as characters of code page 437; cols = rows = 0 in graphics modes. */
struct text_screen {
    unsigned cols, rows;
    int cursor_x, cursor_y; /* -1, -1 when hidden */
    uint8_t ch[132 * 60];   /* row by row, cols each */
    uint8_t attr[132 * 60];
};

#endif
