/*
 * Sound in real time.  The guest's seconds and the sound card's drift apart a little, and a slow
 * host does not keep up: when too much waits, frames are dropped, and when the queue ran dry,
 * playing starts again with a small reserve.
 */
#include "gui/sdl_audio.h"

enum { PIECE = 1024, FRAME = 4, BUFFER = 512, LIMIT_MS = 120, RESERVE_MS = 40 };

bool sdl_audio_open(struct sdl_audio *a, uint32_t rate, struct err *e)
{
    SDL_AudioSpec want = {0};

    a->device = 0;
    a->playing = false;
    if (!rate) {
        return true;
    }
    want.freq = (int)rate;
    want.format = AUDIO_S16SYS;
    want.channels = 2;
    want.samples = BUFFER;
    a->limit = rate * FRAME / 1000 * LIMIT_MS;
    if (SDL_InitSubSystem(SDL_INIT_AUDIO) == 0) {
        a->device = SDL_OpenAudioDevice(NULL, 0, &want, NULL, 0);
    }
    return a->device || err_set(e, "no sound can be played (%s); use -audio none or wav:FILE",
                                SDL_GetError());
}

void sdl_audio_turn(struct sdl_audio *a, struct oxbow *m)
{
    int16_t frames[PIECE][2];
    uint32_t waits;
    size_t n;

    if (!a->device) {
        return;
    }
    do {
        n = oxbow_audio(m, frames[0], PIECE);
        if (n && SDL_GetQueuedAudioSize(a->device) < a->limit) {
            SDL_QueueAudio(a->device, frames, (uint32_t)n * FRAME);
        }
    } while (n == PIECE);
    waits = SDL_GetQueuedAudioSize(a->device);
    if (a->playing && waits == 0) {
        a->playing = false;
        SDL_PauseAudioDevice(a->device, 1);
    } else if (!a->playing && waits >= a->limit / LIMIT_MS * RESERVE_MS) {
        a->playing = true;
        SDL_PauseAudioDevice(a->device, 0);
    }
}

void sdl_audio_close(struct sdl_audio *a)
{
    if (a->device) {
        SDL_CloseAudioDevice(a->device);
        a->device = 0;
    }
}
