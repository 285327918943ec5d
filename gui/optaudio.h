/*
 * Sound on the command line: the cards, and where what they play goes.
 *
 * Words are QEMU's: -device sb16 and adlib, -audio and -audiodev with the drivers none, wav and
 * sdl; `-audio wav:FILE` is short for `-audio wav,path=FILE`.
 */
#ifndef OXBOW_GUI_OPTAUDIO_H
#define OXBOW_GUI_OPTAUDIO_H

#include "memory/base.h"
#include "memory/err.h"
#include "oxbow.h"

enum audio_kind { AUDIO_NONE, AUDIO_WAV, AUDIO_SDL };

struct audio_option {
    bool given;
    enum audio_kind kind;
    const char *path;   /* of AUDIO_WAV */
    const char *id;     /* NULL: made by -audio, which needs none */
    const char *wanted; /* id that a card named with audiodev=; NULL: none */
    uint32_t rate;
};

struct options;

/* option: "audio" or "audiodev". */
bool opt_audio(struct options *o, const char *option, const char *value, const char *dir,
               struct err *e);
/* The devices that opt_sound_device() makes. */
bool opt_is_sound(const char *driver);
bool opt_sound_device(struct options *o, const char *driver, const char *words, struct err *e);
/* Conflicts that only show when all options are there. */
bool opt_audio_check(const struct options *o, struct err *e);

#endif
