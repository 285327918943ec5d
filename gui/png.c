/*
 * PNG writer: signature, IHDR, IDAT, IEND (RFC 2083 sections 3, 4.1 and 6).
 *
 * Every line gets the Sub filter: text and flat areas become runs of zeros, which deflate likes.
 */
#include "gui/png.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

static void put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static bool write_chunk(FILE *f, const char *type, const uint8_t *data, size_t n)
{
    uint8_t head[8], tail[4];
    uLong crc;

    put_be32(head, (uint32_t)n);
    memcpy(head + 4, type, 4);
    crc = crc32(crc32(0, NULL, 0), head + 4, 4);
    if (n) {
        crc = crc32(crc, data, (uInt)n);
    }
    put_be32(tail, (uint32_t)crc);
    return fwrite(head, 1, 8, f) == 8 && (n == 0 || fwrite(data, 1, n, f) == n)
           && fwrite(tail, 1, 4, f) == 4;
}

/* Filter type 1 and the differences to the pixel on the left, per line. */
static uint8_t *filtered(const struct surface *s, size_t *n)
{
    size_t line = 1 + (size_t)s->w * 3;
    uint8_t *all = malloc(line * s->h), *p = all;
    unsigned x, y;

    if (!all) {
        return NULL;
    }
    for (y = 0; y < s->h; y++) {
        const uint32_t *px = s->px + (size_t)y * s->stride;
        uint32_t left = 0;

        *p++ = 1;
        for (x = 0; x < s->w; x++) {
            uint32_t now = px[x];

            *p++ = (uint8_t)((now >> 16) - (left >> 16));
            *p++ = (uint8_t)((now >> 8) - (left >> 8));
            *p++ = (uint8_t)(now - left);
            left = now;
        }
    }
    *n = line * s->h;
    return all;
}

/* Filtered and deflated picture data; NULL: no memory. */
static uint8_t *compressed(const struct surface *s, uLongf *n)
{
    size_t raw_size = 0;
    uint8_t *raw = filtered(s, &raw_size), *out = NULL;

    if (raw) {
        *n = compressBound((uLong)raw_size);
        out = malloc(*n);
    }
    if (out && compress2(out, n, raw, (uLong)raw_size, 6) != Z_OK) {
        free(out);
        out = NULL;
    }
    free(raw);
    return out;
}

bool png_write(const char *path, const struct surface *s, struct err *e)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t header[13] = {0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0};
    uint8_t *data;
    uLongf n = 0;
    FILE *f;
    bool ok;

    if (s->w == 0 || s->h == 0) {
        return err_set(e, "%s: there is no picture to write", path);
    }
    data = compressed(s, &n);
    if (!data) {
        return err_set(e, "%s: no memory to write the picture; close other programs", path);
    }
    f = fopen(path, "wb");
    if (!f) {
        free(data);
        return err_set(e, "%s: can't be written (%s); choose another name or folder", path,
                       strerror(errno));
    }
    put_be32(header, s->w);
    put_be32(header + 4, s->h);
    ok = fwrite(signature, 1, 8, f) == 8 && write_chunk(f, "IHDR", header, 13)
         && write_chunk(f, "IDAT", data, n) && write_chunk(f, "IEND", NULL, 0);
    free(data);
    if (fclose(f) != 0 || !ok) {
        return err_set(e, "%s: writing the picture failed (%s); is the disk full?", path,
                       strerror(errno));
    }
    return true;
}
