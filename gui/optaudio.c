/*
 * Sound options; see optaudio.h.
 */
#include "gui/optaudio.h"

#include <string.h>

#include "gui/options.h"
#include "gui/optvalue.h"

enum { DEFAULT_RATE = 44100, LOW_RATE = 4000, HIGH_RATE = 192000 };

/* --- cards --------------------------------------------------------------------------------- */

bool opt_is_sound(const char *driver)
{
    return strcmp(driver, "sb16") == 0 || strcmp(driver, "adlib") == 0;
}

static bool sb16_word(struct oxbow_sb16 *c, const struct optpair *p, struct err *e)
{
    uint64_t n;
    bool base = strcmp(p->key, "iobase") == 0;

    if (!base && strcmp(p->key, "irq") != 0 && strcmp(p->key, "dma") != 0 &&
        strcmp(p->key, "dma16") != 0) {
        return err_set(e, "-device sb16,%s: it has the settings iobase=, irq=, dma= and dma16=",
                       *p->key ? p->key : p->value);
    }
    if (!optvalue_number(p->value, &n) || n == 0 || n > (base ? 0xffff : 0xff)) {
        return err_set(e, "-device sb16,%s=%s: use a number, as in sb16,iobase=0x220,irq=5,dma=1,"
                          "dma16=5", p->key, p->value);
    }
    if (base) {
        c->port = (uint16_t)n;
    } else {
        *(p->key[0] == 'i' ? &c->irq : p->key[3] ? &c->dma16 : &c->dma) = (uint8_t)n;
    }
    return true;
}

bool opt_sound_device(struct options *o, const char *driver, const char *words, struct err *e)
{
    bool sb16 = strcmp(driver, "sb16") == 0;
    struct optpair p;

    if (sb16 ? o->sb16.on : o->adlib) {
        return err_set(e, "-device %s: there can be one of them", driver);
    }
    while (optvalue_next(&words, &p)) {
        if (strcmp(p.key, "audiodev") == 0) {
            o->audio.wanted = opt_string(o, p.value, strlen(p.value), e);
            if (!o->audio.wanted) {
                return false;
            }
        } else if (!sb16) {
            return err_set(e, "-device adlib,%s: it has no such setting",
                           *p.key ? p.key : p.value);
        } else if (!sb16_word(&o->sb16, &p, e)) {
            return false;
        }
    }
    *(sb16 ? &o->sb16.on : &o->adlib) = true;
    return true;
}

/* --- where it goes ------------------------------------------------------------------------- */

static bool set_driver(struct options *o, const char *option, const char *word, const char *dir,
                       struct err *e)
{
    static const char *const name[] = {"none", "wav", "sdl"};
    struct audio_option *a = &o->audio;

    if (strncmp(word, "wav:", 4) == 0 && word[4]) {
        a->kind = AUDIO_WAV;
        a->path = opt_file(o, dir, word + 4, e);
        return a->path != NULL;
    }
    for (unsigned n = 0; n < ARRAY_LEN(name); n++) {
        if (strcmp(word, name[n]) == 0) {
            a->kind = (enum audio_kind)n;
            return true;
        }
    }
    return err_set(e, "-%s %s: there is no such driver; use wav:FILE, sdl or none", option, word);
}

static bool audio_word(struct options *o, const char *option, const struct optpair *p,
                       const char *dir, struct err *e)
{
    struct audio_option *a = &o->audio;
    bool whole = strcmp(option, "audio") == 0;
    uint64_t n;

    if (strcmp(p->key, "path") == 0 && a->kind == AUDIO_WAV && *p->value) {
        a->path = opt_file(o, dir, p->value, e);
        return a->path != NULL;
    }
    if (strcmp(p->key, "out.frequency") == 0 || strcmp(p->key, "frequency") == 0) {
        if (!optvalue_number(p->value, &n) || n < LOW_RATE || n > HIGH_RATE) {
            return err_set(e, "-%s %s=%s: use a number from 4000 to 192000", option, p->key,
                           p->value);
        }
        a->rate = (uint32_t)n;
        return true;
    }
    if (strcmp(p->key, "id") == 0) {
        a->id = opt_string(o, p->value, strlen(p->value), e);
        return a->id != NULL;
    }
    if (whole && strcmp(p->key, "model") == 0 && opt_is_sound(p->value)) {
        return opt_sound_device(o, p->value, "", e);
    }
    return err_set(e, "-%s %s%s%s: this setting is not there; use path=FILE with wav, "
                      "frequency=N%s", option, p->key, *p->key ? "=" : "", p->value,
                   whole ? " and model=sb16|adlib" : " and id=NAME");
}

bool opt_audio(struct options *o, const char *option, const char *value, const char *dir,
               struct err *e)
{
    struct optpair p;

    if (o->audio.given) {
        return err_set(e, "-%s %s: the sound can go to one place only", option, value);
    }
    if (!optvalue_next(&value, &p) || (*p.key && strcmp(p.key, "driver") != 0)) {
        return err_set(e, "-%s: name the driver first, as in -%s wav:FILE", option, option);
    }
    o->audio.given = true;
    o->audio.rate = DEFAULT_RATE;
    if (!set_driver(o, option, p.value, dir, e)) {
        return false;
    }
    while (optvalue_next(&value, &p)) {
        if (!audio_word(o, option, &p, dir, e)) {
            return false;
        }
    }
    if (o->audio.kind == AUDIO_WAV && !o->audio.path) {
        return err_set(e, "-%s wav: name the file, as in -%s wav:FILE", option, option);
    }
    if (strcmp(option, "audiodev") == 0 && !o->audio.id) {
        return err_set(e, "-audiodev: give it a name with id=, or write -audio");
    }
    return true;
}

bool opt_audio_check(const struct options *o, struct err *e)
{
    const struct audio_option *a = &o->audio;

    if (o->sb16.on && o->adlib) {
        return err_set(e, "-device adlib: the sb16 has an FM synthesizer at the same ports; use "
                          "one of the two");
    }
    if (a->wanted && (!a->id || strcmp(a->wanted, a->id) != 0)) {
        return err_set(e, "audiodev=%s: there is no -audiodev with id=%s", a->wanted, a->wanted);
    }
    if (a->kind == AUDIO_SDL && o->display != DISPLAY_SDL) {
        return err_set(e, "-audio sdl: sound in real time needs the window; use -display sdl, or "
                          "-audio wav:FILE");
    }
    return true;
}
