/*
 * The machine's sound on its way to a WAV file.  (Sound in real time is the window's business:
 * sdl_audio.h.)
 */
#ifndef OXBOW_GUI_SOUND_H
#define OXBOW_GUI_SOUND_H

#include "gui/options.h"
#include "gui/wav.h"
#include "oxbow.h"

struct sound {
    bool on; /* a WAV file is written */
    struct wav wav;
};

/* Tells the machine to make sound where the options want any. */
void sound_wire(struct sound *s, const struct options *o, struct oxbow_config *cfg);
/* Opens the file; `is_input` says whether it is one that the run reads from. */
bool sound_open(struct sound *s, const struct options *o, bool (*is_input)(void *ctx, int fd),
                void *ctx, struct err *e);
/* Empties it, when nothing else can fail any more. */
bool sound_start(struct sound *s, struct err *e);
/* Takes the frames that are complete; false: the file can't be written any more. */
bool sound_turn(struct sound *s, struct oxbow *m, struct err *e);
void sound_close(struct sound *s);

#endif
