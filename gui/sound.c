/*
 * Sound to a WAV file; see sound.h.
 */
#include "gui/sound.h"

#include "gui/hostfile.h"

enum { PIECE = 1024 };

void sound_wire(struct sound *s, const struct options *o, struct oxbow_config *cfg)
{
    s->on = false;
    s->wav.fd = -1;
    cfg->sb16 = o->sb16;
    cfg->adlib = o->adlib;
    cfg->audio_rate = o->audio.kind == AUDIO_NONE ? 0 : o->audio.rate;
}

/* Files that ports write. */
static bool is_port(const struct options *o, int fd)
{
    const char *path[] = {o->serial[0].path, o->serial[1].path, o->serial[2].path,
                          o->serial[3].path, o->parallel.path, o->debugcon.path, o->postlog};

    for (unsigned n = 0; n < ARRAY_LEN(path); n++) {
        if (path[n] && hostfile_same(fd, path[n])) {
            return true;
        }
    }
    return false;
}

bool sound_open(struct sound *s, const struct options *o, bool (*is_input)(void *ctx, int fd),
                void *ctx, struct err *e)
{
    if (o->audio.kind != AUDIO_WAV) {
        return true;
    }
    if (!wav_open(&s->wav, o->audio.path, o->audio.rate, e)) {
        return false;
    }
    if (is_input(ctx, s->wav.fd)) {
        err_set(e, "%s: this file is read by the same run; name another one for the sound",
                o->audio.path);
    } else if (is_port(o, s->wav.fd)) {
        err_set(e, "%s: a port writes to this file; name another one for the sound",
                o->audio.path);
    } else {
        return true;
    }
    hostfile_close(s->wav.fd);
    s->wav.fd = -1;
    return false;
}

bool sound_start(struct sound *s, struct err *e)
{
    s->on = s->wav.fd >= 0;
    return !s->on || wav_start(&s->wav, e);
}

bool sound_turn(struct sound *s, struct oxbow *m, struct err *e)
{
    int16_t frames[PIECE][2];
    size_t n;

    if (!s->on) {
        return true;
    }
    do {
        n = oxbow_audio(m, frames[0], PIECE);
        if (!wav_put(&s->wav, frames[0], n, e)) {
            s->on = false;
            return false;
        }
    } while (n == PIECE);
    return true;
}

void sound_close(struct sound *s)
{
    struct err e;

    if (s->on) {
        wav_close(&s->wav, &e);
    } else if (s->wav.fd >= 0) {
        hostfile_close(s->wav.fd);
    }
    s->wav.fd = -1;
    s->on = false;
}
