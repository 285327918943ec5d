/*
 * Saved states as files; see statefile.h.
 */
#include "gui/statefile.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "gui/hostfile.h"
#include "memory/bytes.h"

enum { HEADER = 24, FORMAT_VERSION = 1, CHUNK = 1 << 16 };

static const char magic[9] = "OXBOWST\n";

/* zlib counts in unsigned int, a state may be larger than that. */
static uint32_t crc_of(const uint8_t *data, size_t n)
{
    uLong crc = crc32(0, NULL, 0);

    while (n) {
        uInt step = (uInt)MIN(n, (size_t)1 << 30);

        crc = crc32(crc, data, step);
        data += step;
        n -= step;
    }
    return (uint32_t)crc;
}

static bool deflate_to(struct hostfile_new *f, const uint8_t *data, size_t n)
{
    uint8_t out[CHUNK];
    z_stream z = {0};
    int r = Z_OK;

    /* Fast: memory images shrink well at any level. */
    if (deflateInit(&z, 1) != Z_OK) {
        return false;
    }
    while (r != Z_STREAM_END) {
        if (z.avail_in == 0 && n) {
            z.next_in = (Bytef *)(uintptr_t)data;
            z.avail_in = (uInt)MIN(n, (size_t)1 << 30);
            data += z.avail_in;
            n -= z.avail_in;
        }
        z.next_out = out;
        z.avail_out = sizeof out;
        r = deflate(&z, n ? Z_NO_FLUSH : Z_FINISH);
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) {
            break;
        }
        hostfile_put(f, out, sizeof out - z.avail_out);
    }
    deflateEnd(&z);
    return r == Z_STREAM_END;
}

bool statefile_save(struct oxbow *m, const char *path, struct err *e)
{
    uint8_t header[HEADER];
    size_t len = 0;
    uint8_t *data = oxbow_save(m, &len, e);
    struct hostfile_new *f = data ? hostfile_begin(path, e) : NULL;
    bool good = false;

    if (f) {
        memcpy(header, magic, 8);
        put32(header + 8, FORMAT_VERSION);
        put32(header + 12, crc_of(data, len));
        put64(header + 16, len);
        hostfile_put(f, header, sizeof header);
        good = deflate_to(f, data, len);
        if (!good) {
            err_set(e, "%s: not enough memory to save the machine", path);
        }
        good = hostfile_commit(f, good, e);
    }
    free(data);
    return good;
}

/* Exactly `len` bytes into `to`. */
static bool inflate_to(uint8_t *to, size_t len, const uint8_t *data, size_t n)
{
    z_stream z = {0};
    int r = Z_OK;

    if (inflateInit(&z) != Z_OK) {
        return false;
    }
    while (r == Z_OK) {
        if (z.avail_in == 0) {
            z.next_in = (Bytef *)(uintptr_t)data;
            z.avail_in = (uInt)MIN(n, (size_t)1 << 30);
            data += z.avail_in;
            n -= z.avail_in;
        }
        if (z.avail_out == 0) {
            z.next_out = to;
            z.avail_out = (uInt)MIN(len, (size_t)1 << 30);
            to += z.avail_out;
            len -= z.avail_out;
        }
        r = inflate(&z, Z_NO_FLUSH);
    }
    len += z.avail_out;
    inflateEnd(&z);
    return r == Z_STREAM_END && len == 0;
}

static uint8_t *unpack(const uint8_t *file, size_t n, const char *path, size_t *len, struct err *e)
{
    uint64_t raw;
    uint8_t *data;

    if (n < HEADER || memcmp(file, magic, 8) != 0) {
        err_set(e, "%s: this is no saved state", path);
        return NULL;
    }
    if (get32(file + 8) != FORMAT_VERSION) {
        err_set(e, "%s: saved by another version of Oxbow (format %u, this one reads %u)", path,
                (unsigned)get32(file + 8), (unsigned)FORMAT_VERSION);
        return NULL;
    }
    raw = get64(file + 16);
    /* deflate shrinks at most 1032-fold, so a false length asks for no absurd amount of memory */
    data = raw && raw / 1032 <= n ? malloc((size_t)raw) : NULL;
    if (!data || !inflate_to(data, (size_t)raw, file + HEADER, n - HEADER) ||
        crc_of(data, (size_t)raw) != get32(file + 12)) {
        err_set(e, "%s: the saved state is damaged or truncated", path);
        free(data);
        return NULL;
    }
    *len = (size_t)raw;
    return data;
}

bool statefile_load(struct oxbow *m, const char *path, struct err *e)
{
    size_t n = 0, len = 0;
    uint8_t *file = hostfile_read(path, &n, e);
    uint8_t *data = file ? unpack(file, n, path, &len, e) : NULL;
    struct err why = {{0}};
    bool ok;

    free(file);
    if (!data) {
        return false;
    }
    ok = oxbow_load(m, data, len, &why) || err_set(e, "%s: %.400s", path, why.text);
    free(data);
    return ok;
}
