/*
 * WAV writer: RIFF header of 44 bytes ("Multimedia Programming Interface and Data Specifications",
 * 1991, PCM format), little-endian samples.
 */
#include "gui/wav.h"

#include <errno.h>
#include <string.h>

#include "gui/host.h"
#include "gui/hostfile.h"
#include "memory/bytes.h"

enum { HEADER = 44, FRAME = 4 };
#define MOST_BYTES (0xffffffffu - HEADER)

static void make_header(const struct wav *w, uint8_t *h)
{
    uint64_t bytes = w->fixed ? MOST_BYTES : w->frames * FRAME;

    memcpy(h, "RIFF", 4);
    put32(h + 4, (uint32_t)(bytes + HEADER - 8));
    memcpy(h + 8, "WAVEfmt ", 8);
    put32(h + 16, 16);
    put16(h + 20, 1); /* PCM */
    put16(h + 22, 2);
    put32(h + 24, w->rate);
    put32(h + 28, w->rate * FRAME);
    put16(h + 32, FRAME);
    put16(h + 34, 16);
    memcpy(h + 36, "data", 4);
    put32(h + 40, (uint32_t)bytes);
}

static bool failed(const struct wav *w, struct err *e)
{
    return err_set(e, "%s: can't be written any more (%s)", w->path, strerror(errno));
}

bool wav_open(struct wav *w, const char *path, uint32_t rate, struct err *e)
{
    w->path = path;
    w->rate = rate;
    w->fixed = false;
    w->frames = w->sized = 0;
    w->used = 0;
    w->fd = hostfile_output(path, e);
    return w->fd >= 0;
}

bool wav_start(struct wav *w, struct err *e)
{
    uint8_t h[HEADER];

    hostfile_truncate(w->fd);
    make_header(w, h);
    if (!hostfile_patch(w->fd, 0, h, 0)) {
        w->fixed = true; /* a pipe */
        make_header(w, h);
    }
    return host_write(w->fd, h, sizeof h) || failed(w, e);
}

static bool flush(struct wav *w, struct err *e)
{
    uint8_t h[HEADER];

    if (w->used && !host_write(w->fd, w->buf, w->used)) {
        return failed(w, e);
    }
    w->used = 0;
    if (!w->fixed && w->sized != w->frames) {
        make_header(w, h);
        w->sized = w->frames;
        return hostfile_patch(w->fd, 0, h, sizeof h) || failed(w, e);
    }
    return true;
}

bool wav_put(struct wav *w, const int16_t *frames, size_t n, struct err *e)
{
    for (size_t k = 0; k < n; k++) {
        if (!w->fixed && w->frames == MOST_BYTES / FRAME) {
            return err_set(e, "%s: a WAV file can't have more than 4 GB", w->path);
        }
        if (w->used == sizeof w->buf) {
            if (!host_write(w->fd, w->buf, w->used)) {
                return failed(w, e);
            }
            w->used = 0;
        }
        put16(w->buf + w->used, (uint16_t)frames[2 * k]);
        put16(w->buf + w->used + 2, (uint16_t)frames[2 * k + 1]);
        w->used += FRAME;
        w->frames++;
    }
    return w->frames - w->sized < w->rate || flush(w, e);
}

bool wav_close(struct wav *w, struct err *e)
{
    bool ok = true;

    if (w->fd >= 0) {
        ok = flush(w, e);
        hostfile_close(w->fd);
        w->fd = -1;
    }
    return ok;
}
