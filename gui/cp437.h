/*
 * Characters of the PC's text screen (code page 437) as UTF-8.
 */
#ifndef OXBOW_GUI_CP437_H
#define OXBOW_GUI_CP437_H

#include "devices/surface.h"

/* Row y of the screen without the blanks at its end; returns its length in bytes. */
size_t cp437_row(const struct text_screen *t, unsigned y, char *buf, size_t len);

#endif
