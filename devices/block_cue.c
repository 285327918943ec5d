/*
 * Cue sheets as block back ends: the text that names the files of a CD image and its tracks, as
 * CDRWIN's documentation describes it.  Files of type BINARY; tracks AUDIO, MODE1/2048, MODE1/2352,
 * MODE2/2336 and MODE2/2352.
 *
 * A disc is a list of segments, runs of frames of one size in one file or of silence (PREGAP,
 * POSTGAP).  What files leave out of a frame is made up; EDC and ECC are zero then.  Block 0 is
 * index 1 of the first track.  Files answer before block_submit returns, so reads are loops.
 */
#include "devices/block.h"

#include <stdlib.h>
#include <string.h>

#include "devices/cd_layout.h"

enum { SECTOR = 512, MAX_TEXT = 65536, MAX_FILES = CD_TRACKS, MAX_SEGMENTS = 3 * CD_TRACKS };
enum { WINDOW = CD_RAW + 2 * SECTOR };

struct segment {
    uint32_t lba, frames;
    uint64_t byte;  /* of its first frame in the file */
    uint16_t size;  /* of a frame in the file */
    uint8_t mode;   /* enum cd_mode */
    int file;       /* -1: silence */
};

struct cue {
    struct block b;
    struct cd_layout layout;
    struct block *file[MAX_FILES];
    unsigned files, segments;
    struct segment segment[MAX_SEGMENTS];
    char label[]; /* the path as given */
};

/* --- reading ---------------------------------------------------------------------------------- */

static void read_done(struct block_req *req, enum block_error error)
{
    *(enum block_error *)req->arg = error;
}

/* Bytes of a file, which may start and end inside of sectors; n is at most CD_RAW. */
static enum block_error read_bytes(struct block *f, uint64_t at, uint8_t *to, uint32_t n)
{
    uint8_t window[WINDOW];
    uint32_t skip = (uint32_t)(at % SECTOR);
    enum block_error error = BLOCK_EIO;
    struct block_req req = {.cmd = BLOCK_READ, .sector = at / SECTOR,
                            .count = (skip + n + SECTOR - 1) / SECTOR, .buf = window,
                            .done = read_done, .arg = &error};

    block_submit(f, &req);
    memcpy(to, window + skip, error == BLOCK_OK ? n : 0);
    return error;
}

static uint8_t bcd(uint32_t v)
{
    return (uint8_t)(v / 10 << 4 | v % 10);
}

/* Synchronisation and header of a data frame. */
static void make_header(uint8_t *frame, uint32_t lba, enum cd_mode mode)
{
    uint32_t n = lba + CD_LEAD_IN;

    memset(frame, 0xff, 12);
    frame[0] = frame[11] = 0;
    frame[12] = bcd(n / CD_FRAMES / 60 % 100);
    frame[13] = bcd(n / CD_FRAMES % 60);
    frame[14] = bcd(n % CD_FRAMES);
    frame[15] = mode == CD_MODE2 ? 2 : 1;
}

static enum block_error read_frame(struct cue *c, uint32_t lba, uint8_t *frame)
{
    const struct segment *s = c->segment;

    while (lba >= s->lba + s->frames) {
        s++;
    }
    memset(frame, 0, CD_RAW_SECTORS * SECTOR);
    if (s->mode != CD_AUDIO && s->size < CD_RAW) {
        make_header(frame, lba, (enum cd_mode)s->mode);
    }
    if (s->file < 0) {
        return BLOCK_OK;
    }
    return read_bytes(c->file[s->file], s->byte + (uint64_t)(lba - s->lba) * s->size,
                      frame + (s->size == CD_RAW ? 0 : 16), s->size);
}

static void cue_submit(struct block *b, struct block_req *req)
{
    struct cue *c = CONTAINER_OF(b, struct cue, b);
    uint8_t frame[CD_RAW_SECTORS * SECTOR];
    enum block_error error = BLOCK_OK;

    for (uint32_t n = 0; n < req->count && error == BLOCK_OK;) {
        uint64_t sector = req->sector + n;
        uint32_t part = (uint32_t)(sector % CD_RAW_SECTORS);
        uint32_t count = MIN(CD_RAW_SECTORS - part, req->count - n);

        error = read_frame(c, (uint32_t)(sector / CD_RAW_SECTORS), frame);
        memcpy(req->buf + (size_t)n * SECTOR, frame + part * SECTOR, (size_t)count * SECTOR);
        n += count;
    }
    req->done(req, error);
}

static void cue_close(struct block *b)
{
    struct cue *c = CONTAINER_OF(b, struct cue, b);

    for (unsigned n = 0; n < c->files; n++) {
        block_close(c->file[n]);
    }
    free(c);
}

static const struct block_ops cue_ops = {"cue sheet", cue_submit, cue_close, NULL, NULL};

/* --- the sheet -------------------------------------------------------------------------------- */

/* A track while its sheet is read; frames count from the file's start, -1: not said. */
struct parsed {
    uint8_t mode;
    uint16_t size;
    int file;
    int64_t index0, index1, pregap, postgap;
};

struct parser {
    struct cue *c;
    const char *path;
    unsigned line, tracks;
    struct parsed track[CD_TRACKS];
    struct err *e;
};

static bool bad(struct parser *p, const char *what)
{
    return err_set(p->e, "%s: line %u of the cue sheet: %s", p->path, p->line, what);
}

/* The next word of the line, in quotes or without; NULL at its end. */
static char *word(char **line)
{
    char *w = *line + strspn(*line, " \t\r"), *end;

    if (*w == 0) {
        return NULL;
    }
    if (*w == '"') {
        w++;
        end = w + strcspn(w, "\"");
    } else {
        end = w + strcspn(w, " \t\r");
    }
    *line = *end ? end + 1 : end;
    *end = 0;
    return w;
}

static bool is(const char *w, const char *name)
{
    for (; w && *w && *name; w++, name++) {
        if ((*w >= 'a' && *w <= 'z' ? *w - 32 : *w) != *name) {
            return false;
        }
    }
    return w && *w == *name;
}

/* The file's name is relative to the sheet's folder. */
static bool add_file(struct parser *p, const char *name)
{
    struct cue *c = p->c;
    const char *slash = strrchr(p->path, '/');
    size_t dir = slash && name[0] != '/' ? (size_t)(slash - p->path) + 1 : 0;
    char *path;

    if (c->files == MAX_FILES) {
        return bad(p, "more files than a disc has tracks");
    }
    path = malloc(dir + strlen(name) + 1);
    if (!path) {
        return bad(p, "no memory for a name");
    }
    memcpy(path, p->path, dir);
    strcpy(path + dir, name);
    c->file[c->files] = block_open_file(path, true, p->e);
    free(path);
    if (!c->file[c->files]) {
        return false;
    }
    c->files++;
    return true;
}

static bool file_line(struct parser *p, char *rest)
{
    char *name = word(&rest), *type = word(&rest);

    if (!name || !type) {
        return bad(p, "FILE needs a name and a type");
    }
    return is(type, "BINARY") ? add_file(p, name)
                              : bad(p, "files can only be of the type BINARY; convert this one");
}

static bool track_line(struct parser *p, char *rest)
{
    static const struct {
        const char *name;
        uint8_t mode;
        uint16_t size;
    } kinds[] = {{"AUDIO", CD_AUDIO, CD_RAW},
                 {"MODE1/2048", CD_MODE1, 2048},
                 {"MODE1/2352", CD_MODE1, CD_RAW},
                 {"MODE2/2336", CD_MODE2, 2336},
                 {"MODE2/2352", CD_MODE2, CD_RAW}};
    const char *number = word(&rest), *kind = word(&rest);
    struct parsed *t = &p->track[p->tracks];

    if (!number || !kind || !p->c->files) {
        return bad(p, "TRACK needs a number, a mode, and a FILE before it");
    }
    if (p->tracks == CD_TRACKS || strtoul(number, NULL, 10) != p->tracks + 1) {
        return bad(p, "tracks must count from 1 to 99");
    }
    for (unsigned n = 0; n < ARRAY_LEN(kinds); n++) {
        if (is(kind, kinds[n].name)) {
            *t = (struct parsed){kinds[n].mode, kinds[n].size, (int)p->c->files - 1, -1, -1, 0, 0};
            p->tracks++;
            return true;
        }
    }
    return bad(p, "the track's mode is none of AUDIO, MODE1/2048, MODE1/2352, MODE2/2336 and "
                  "MODE2/2352");
}

static bool number(const char **s, unsigned limit, unsigned *n)
{
    const char *start = *s;

    for (*n = 0; **s >= '0' && **s <= '9' && *n < 1000; (*s)++) {
        *n = *n * 10 + (unsigned)(**s - '0');
    }
    return *s > start && *n < limit;
}

/* MM:SS:FF in frames. */
static bool parse_time(const char *s, int64_t *frames)
{
    unsigned m, sec, f;

    if (!s || !number(&s, 100, &m) || *s++ != ':' || !number(&s, 60, &sec) || *s++ != ':' ||
        !number(&s, CD_FRAMES, &f) || *s) {
        return false;
    }
    *frames = ((int64_t)m * 60 + sec) * CD_FRAMES + f;
    return true;
}

static bool time_line(struct parser *p, int64_t *to, char *rest)
{
    return parse_time(word(&rest), to) || bad(p, "a time is written as MM:SS:FF");
}

static bool index_line(struct parser *p, char *rest)
{
    const char *number = word(&rest);
    struct parsed *t = &p->track[p->tracks - 1];
    int64_t more;

    if (!number) {
        return bad(p, "INDEX needs a number and a time");
    }
    switch (strtoul(number, NULL, 10)) {
    case 0:
        return time_line(p, &t->index0, rest);
    case 1:
        return time_line(p, &t->index1, rest);
    default:
        return time_line(p, &more, rest); /* of no importance */
    }
}

static bool sheet_line(struct parser *p, char *line)
{
    static const char *const ignored[] = {"REM", "CATALOG", "PERFORMER", "TITLE", "SONGWRITER",
                                          "FLAGS", "ISRC", "CDTEXTFILE"};
    const char *verb = word(&line);

    if (!verb) {
        return true;
    }
    if (is(verb, "FILE")) {
        return file_line(p, line);
    }
    if (is(verb, "TRACK")) {
        return track_line(p, line);
    }
    for (unsigned n = 0; n < ARRAY_LEN(ignored); n++) {
        if (is(verb, ignored[n])) {
            return true;
        }
    }
    if (p->tracks == 0) {
        return bad(p, "this is no cue sheet, or it has no TRACK before this line");
    }
    if (is(verb, "INDEX")) {
        return index_line(p, line);
    }
    if (is(verb, "PREGAP")) {
        return time_line(p, &p->track[p->tracks - 1].pregap, line);
    }
    if (is(verb, "POSTGAP")) {
        return time_line(p, &p->track[p->tracks - 1].postgap, line);
    }
    return bad(p, "an unknown word stands at its beginning");
}

/* --- from the sheet to segments --------------------------------------------------------------- */

static bool add_segment(struct cue *c, uint32_t frames, const struct parsed *t, int file,
                        uint64_t byte)
{
    struct segment *s = &c->segment[c->segments];

    if (frames == 0) {
        return true;
    }
    if (c->segments == MAX_SEGMENTS ||
        c->layout.frames + (uint64_t)frames > 100u * 60 * CD_FRAMES) {
        return false;
    }
    *s = (struct segment){c->layout.frames, frames, byte, t->size, t->mode, file};
    c->segments++;
    c->layout.frames += frames;
    return true;
}

/* Where a track starts in its file: index 0 where there is one. */
static int64_t start_of(const struct parsed *t)
{
    return t->index0 >= 0 ? t->index0 : t->index1;
}

static bool place_tracks(struct parser *p)
{
    struct cue *c = p->c;
    uint64_t byte = 0;

    for (unsigned n = 0; n < p->tracks; n++) {
        const struct parsed *t = &p->track[n], *next = t + 1;
        bool last_of_file = n + 1 == p->tracks || next->file != t->file;
        bool first_of_file = n == 0 || t[-1].file != t->file;
        uint64_t size = c->file[t->file]->sectors * SECTOR;
        int64_t start = start_of(t), lead = t->index1 - start, frames;

        if (first_of_file) {
            byte = (uint64_t)MAX(start, 0) * t->size;
        }
        if (t->index1 < 0 || lead < 0 || byte > size) {
            return err_set(p->e, "%s: track %u of the cue sheet has no INDEX 01 inside of its file",
                           p->path, n + 1);
        }
        frames = last_of_file ? (int64_t)((size - byte) / t->size) : start_of(next) - start;
        if (frames <= lead || byte + (uint64_t)frames * t->size > size) {
            return err_set(p->e, "%s: track %u of the cue sheet goes past the end of its file",
                           p->path, n + 1);
        }
        /* What lies before index 1 of the first track has no block numbers. */
        uint64_t skip = n == 0 ? (uint64_t)lead : 0;
        bool ok = n == 0 || add_segment(c, (uint32_t)t->pregap, t, -1, 0);
        c->layout.track[n].mode = t->mode;
        c->layout.track[n].gap = c->layout.frames - (n == 0 ? 0 : (uint32_t)t->pregap);
        c->layout.track[n].start = c->layout.frames + (n == 0 ? 0 : (uint32_t)lead);
        ok = ok && add_segment(c, (uint32_t)((uint64_t)frames - skip), t, t->file,
                               byte + skip * t->size) &&
             add_segment(c, (uint32_t)t->postgap, t, -1, 0);
        if (!ok) {
            return err_set(p->e, "%s: the tracks of the cue sheet are too long for a disc",
                           p->path);
        }
        byte += (uint64_t)frames * t->size;
    }
    c->layout.tracks = (uint8_t)p->tracks;
    return p->tracks || err_set(p->e, "%s: the cue sheet has no tracks", p->path);
}

static bool parse(struct parser *p, char *text)
{
    while (*text) {
        char *line = text;

        p->line++;
        text += strcspn(text, "\n");
        if (*text) {
            *text++ = 0;
        }
        if (!sheet_line(p, line)) {
            return false;
        }
    }
    return place_tracks(p);
}

/* The sheet's text, with a zero behind it. */
static char *read_text(const char *path, struct err *e)
{
    struct block *b = block_open_file(path, true, e);
    uint32_t sectors = b ? (uint32_t)MIN(b->sectors, (uint64_t)MAX_TEXT / SECTOR) : 0;
    char *text = b ? calloc(1, (size_t)sectors * SECTOR + 1) : NULL;
    enum block_error error = BLOCK_EIO;
    struct block_req req = {.cmd = BLOCK_READ, .count = sectors, .buf = (uint8_t *)text,
                            .done = read_done, .arg = &error};

    if (text) {
        block_submit(b, &req);
    }
    block_close(b);
    if (b && error != BLOCK_OK) {
        free(text);
        text = NULL;
        err_set(e, "%s: can't be read; check the file", path);
    }
    return text;
}

struct block *block_open_cue(const char *path, struct err *e)
{
    size_t len = strlen(path);
    char *text = read_text(path, e);
    struct cue *c = text ? calloc(1, sizeof *c + len + 1) : NULL;
    struct parser *p = c ? calloc(1, sizeof *p) : NULL;
    bool ok = false;

    if (p) {
        p->c = c;
        p->path = path;
        p->e = e;
        ok = parse(p, text);
    } else if (text) {
        err_set(e, "%s: no memory to open it; close other programs", path);
    }
    free(p);
    free(text);
    if (!ok) {
        if (c) {
            cue_close(&c->b);
        }
        return NULL;
    }
    memcpy(c->label, path, len);
    c->b.ops = &cue_ops;
    c->b.sectors = (uint64_t)c->layout.frames * CD_RAW_SECTORS;
    c->b.read_only = true;
    c->b.label = c->label;
    c->b.cd = &c->layout;
    return &c->b;
}
