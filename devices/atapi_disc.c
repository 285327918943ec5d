/*
 * ATAPI CD-ROM drive: tracks, what the drive tells about the disc, and playing audio tracks
 * (MMC-3 chapters 4 and 5; SFF-8020i for READ SUB-CHANNEL and PLAY AUDIO).
 *
 * Playing is a start, an end and an instruction count: where the head is follows from virtual time.
 * Samples are read only when somebody listens, and no guest sees that.
 */
#include "devices/atapi_core.h"

#include <string.h>

#include "memory/bytes.h"

enum { LEAD_OUT = 0xaa, SAMPLES = 588 /* of a frame */ };
enum { CONTROL_AUDIO = 0x10, CONTROL_DATA = 0x14 }; /* with ADR 1: Q holds the position */
enum { STATUS_PLAYING = 0x11, STATUS_PAUSED, STATUS_COMPLETED, STATUS_NONE = 0x15 };

#define SAMPLE_CLOCK ((struct clock){44100, 1})

/* --- tracks ----------------------------------------------------------------------------------- */

static const struct cd_layout *layout(const struct ide_unit *u)
{
    return u->block ? u->block->cd : NULL;
}

unsigned cd_track_count(const struct ide_unit *u)
{
    return layout(u) ? layout(u)->tracks : 1;
}

uint32_t cd_track_start(const struct ide_unit *u, unsigned n)
{
    if (n > cd_track_count(u)) {
        return (uint32_t)u->sectors;
    }
    return layout(u) ? layout(u)->track[n - 1].start : 0;
}

enum cd_mode cd_track_mode(const struct ide_unit *u, unsigned n)
{
    return layout(u) ? (enum cd_mode)layout(u)->track[n - 1].mode : CD_MODE1;
}

unsigned cd_track_of(const struct ide_unit *u, uint32_t lba)
{
    unsigned n = cd_track_count(u);

    while (n > 1 && lba < layout(u)->track[n - 1].gap) {
        n--;
    }
    return n;
}

int cd_range_mode(const struct ide_unit *u, uint32_t lba, uint32_t count)
{
    unsigned first = cd_track_of(u, lba), last = cd_track_of(u, count ? lba + count - 1 : lba);

    for (unsigned n = first; n < last; n++) {
        if (cd_track_mode(u, n) != cd_track_mode(u, n + 1)) {
            return -1;
        }
    }
    return (int)cd_track_mode(u, first);
}

static uint8_t control(const struct ide_unit *u, unsigned track)
{
    return cd_track_mode(u, track) == CD_AUDIO ? CONTROL_AUDIO : CONTROL_DATA;
}

static void put_msf(uint8_t *p, uint32_t frames)
{
    p[0] = 0;
    p[1] = (uint8_t)(frames / CD_FRAMES / 60);
    p[2] = (uint8_t)(frames / CD_FRAMES % 60);
    p[3] = (uint8_t)(frames % CD_FRAMES);
}

/* An address as a block number or as minute, second, frame. */
static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
    if (msf) {
        put_msf(p, lba + CD_LEAD_IN);
    } else {
        put_be32(p, lba);
    }
}

/* --- table of contents ------------------------------------------------------------------------ */

static uint32_t toc_tracks(struct ide_channel *c, unsigned first, bool msf)
{
    const struct ide_unit *u = ide_active(c);
    unsigned last = cd_track_count(u);
    uint8_t *t = c->buf + 4;

    c->buf[2] = 1;
    c->buf[3] = (uint8_t)last;
    for (unsigned n = MAX(first, 1u); n <= last; n++, t += 8) {
        t[1] = control(u, n);
        t[2] = (uint8_t)n;
        put_address(t + 4, cd_track_start(u, n), msf);
    }
    t[1] = control(u, last);
    t[2] = LEAD_OUT;
    put_address(t + 4, cd_track_start(u, last + 1), msf);
    return (uint32_t)(t + 8 - c->buf);
}

static uint32_t toc_session(struct ide_channel *c, bool msf)
{
    uint8_t *b = c->buf;

    b[2] = b[3] = 1;
    b[5] = control(ide_active(c), 1);
    b[6] = 1;
    put_address(b + 8, cd_track_start(ide_active(c), 1), msf);
    return 12;
}

/* The lead-in's own entries: first and last track, lead-out, then the tracks. */
static uint32_t toc_full(struct ide_channel *c)
{
    const struct ide_unit *u = ide_active(c);
    unsigned last = cd_track_count(u);
    uint8_t *t = c->buf + 4;
    bool xa = false;

    c->buf[2] = c->buf[3] = 1;
    for (unsigned n = 1; n <= last; n++) {
        xa = xa || cd_track_mode(u, n) == CD_MODE2;
    }
    for (unsigned n = 0; n < last + 3; n++, t += 11) {
        unsigned track = n < 3 ? (n ? last : 1) : n - 2;
        uint8_t msf[4];

        t[0] = 1; /* session */
        t[1] = control(u, track);
        t[3] = (uint8_t)(n < 3 ? 0xa0 + n : track);
        if (n < 2) {
            t[8] = (uint8_t)track;
            t[9] = n == 0 && xa ? 0x20 : 0; /* type of the disc */
        } else {
            put_address(msf, cd_track_start(u, n == 2 ? last + 1 : track), true);
            memcpy(t + 8, msf + 1, 3);
        }
    }
    return (uint32_t)(t - c->buf);
}

void atapi_read_toc(struct ide_channel *c, const uint8_t *p)
{
    unsigned format = p[2] & 0x0f ? p[2] & 0x0f : p[9] >> 6;
    bool msf = (p[1] & 2) != 0;
    uint32_t n;

    if (!atapi_ready(c)) {
        return;
    }
    memset(c->buf, 0, 4 + (CD_TRACKS + 3) * 11);
    if (format == 0 && (p[6] <= cd_track_count(ide_active(c)) || p[6] == LEAD_OUT)) {
        n = toc_tracks(c, p[6], msf);
    } else if (format == 1) {
        n = toc_session(c, msf);
    } else if (format == 2) {
        n = toc_full(c);
    } else {
        atapi_bad_field(c);
        return;
    }
    put_be16(c->buf, n - 2);
    atapi_offer(c, n, be16(p + 7));
}

/* --- playing ---------------------------------------------------------------------------------- */

/* Samples since playing began. */
static uint64_t samples_at(const struct ide_channel *c, const struct ide_unit *u, uint64_t icount)
{
    const struct sched *s = c->d.env->sched;

    return clock_ticks(s, SAMPLE_CLOCK, icount) - clock_ticks(s, SAMPLE_CLOCK, u->cd.play_since);
}

/* Where the head is; playing ends by itself. */
static uint32_t head(struct ide_channel *c, struct ide_unit *u)
{
    uint64_t frames;

    if (u->cd.play != STATUS_PLAYING) {
        return u->cd.play ? u->cd.play_from : (uint32_t)u->next_lba;
    }
    frames = samples_at(c, u, sched_now(c->d.env->sched)) / SAMPLES;
    if (frames < u->cd.play_to - u->cd.play_from) {
        return u->cd.play_from + (uint32_t)frames;
    }
    u->cd.play = STATUS_COMPLETED;
    u->cd.play_from = u->cd.play_to;
    return u->cd.play_to;
}

static struct cd_sound *sound_of(struct ide_channel *c, const struct ide_unit *u)
{
    return &c->sound[u == &c->unit[1]];
}

static void begin_play(struct ide_channel *c, struct ide_unit *u)
{
    u->cd.play_since = sched_now(c->d.env->sched);
    u->cd.play = STATUS_PLAYING;
    sound_of(c, u)->heard = 0;
}

void atapi_stop_play(struct ide_channel *c, struct ide_unit *u)
{
    struct cd_sound *s = sound_of(c, u);

    if (u->cd.play) {
        atapi_render(s, sched_now(c->d.env->sched));
        u->next_lba = head(c, u);
        u->cd.play = 0;
        audio_level(s->out, sched_now(c->d.env->sched), 0, 0);
    }
}

/* Up to the end of the audio tracks in a row that `lba` lies in. */
static uint32_t audio_end(const struct ide_unit *u, uint32_t lba)
{
    unsigned n = cd_track_of(u, lba) + 1;

    while (n <= cd_track_count(u) && cd_track_mode(u, n) == CD_AUDIO) {
        n++;
    }
    return n > cd_track_count(u) ? cd_track_start(u, n) : layout(u)->track[n - 1].gap;
}

void atapi_play(struct ide_channel *c, uint32_t lba, uint32_t count)
{
    struct ide_unit *u = ide_active(c);

    if (!atapi_ready(c)) {
        return;
    }
    if (lba == 0xffffffff) {
        lba = head(c, u);
    }
    if (lba >= u->sectors || count > u->sectors - lba) {
        atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_LBA, 0);
        return;
    }
    if (cd_track_mode(u, cd_track_of(u, lba)) != CD_AUDIO) {
        atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_TRACK_MODE, 0);
        return;
    }
    atapi_stop_play(c, u);
    if (count) {
        u->cd.play_from = lba;
        u->cd.play_to = MIN(lba + count, audio_end(u, lba));
        begin_play(c, u);
    }
    atapi_finish(c);
}

static uint32_t frames_of(const uint8_t *p)
{
    return (p[0] * 60u + p[1]) * CD_FRAMES + p[2];
}

void atapi_play_msf(struct ide_channel *c, const uint8_t *p)
{
    struct ide_unit *u = ide_active(c);
    uint32_t from = frames_of(p + 3), to = frames_of(p + 6);

    if (p[3] == 0xff && p[4] == 0xff && p[5] == 0xff) {
        from = head(c, u) + CD_LEAD_IN;
    }
    if (from < CD_LEAD_IN || to < from) {
        atapi_bad_field(c);
    } else {
        atapi_play(c, from - CD_LEAD_IN, to - from);
    }
}

void atapi_pause(struct ide_channel *c, bool resume)
{
    struct ide_unit *u = ide_active(c);
    uint32_t at;

    if (!atapi_ready(c)) {
        return;
    }
    at = head(c, u);
    if (u->cd.play != STATUS_PLAYING && u->cd.play != STATUS_PAUSED) {
        atapi_fail(c, ILLEGAL_REQUEST, ASC_SEQUENCE, 0);
        return;
    }
    if (resume && u->cd.play == STATUS_PAUSED) {
        begin_play(c, u);
    } else if (!resume && u->cd.play == STATUS_PLAYING) {
        atapi_stop_play(c, u);
        u->cd.play = STATUS_PAUSED;
        u->cd.play_from = at;
    }
    atapi_finish(c);
}

/* --- sound ------------------------------------------------------------------------------------ */

static void frame_read(struct block_req *req, enum block_error error)
{
    struct cd_sound *s = req->arg;

    s->busy = false;
    s->held = error == BLOCK_OK;
}

/* The samples of a block, NULL when they can't be had (in time). */
static const uint8_t *frame_of(struct cd_sound *s, const struct ide_unit *u, uint32_t lba)
{
    if (s->busy) {
        return NULL;
    }
    if (!s->held || s->lba != lba) {
        s->req = (struct block_req){.cmd = BLOCK_READ, .sector = (uint64_t)lba * CD_RAW_SECTORS,
                                    .count = CD_RAW_SECTORS, .buf = s->frame, .done = frame_read,
                                    .arg = s};
        s->lba = lba;
        s->held = false;
        s->busy = true;
        block_submit(u->block, &s->req);
    }
    return s->held && !s->busy ? s->frame : NULL;
}

/* An output port of mode page 0Eh: the channels it carries, and its volume. */
static int port_level(const uint8_t *sample, const uint8_t *port)
{
    int v = 0;

    for (unsigned ch = 0; sample && ch < 2; ch++) {
        v += port[0] >> ch & 1 ? (int16_t)get16(sample + 2 * ch) * port[1] / 255 : 0;
    }
    return MIN(MAX(v, -32768), 32767);
}

void atapi_render(void *ctx, uint64_t now)
{
    struct cd_sound *s = ctx;
    struct ide_channel *c = s->channel;
    const struct ide_unit *u = &c->unit[s == &c->sound[1]];
    uint64_t start, end, limit;

    if (u->cd.play != STATUS_PLAYING || !audio_listens(s->out) || !u->block || !u->block->cd) {
        return;
    }
    start = clock_ticks(c->d.env->sched, SAMPLE_CLOCK, u->cd.play_since);
    end = samples_at(c, u, now) + 1;
    limit = (uint64_t)(u->cd.play_to - u->cd.play_from) * SAMPLES;
    for (; s->heard < MIN(end, limit); s->heard++) {
        const uint8_t *f = frame_of(s, u, u->cd.play_from + (uint32_t)(s->heard / SAMPLES));
        uint64_t at = clock_icount(c->d.env->sched, SAMPLE_CLOCK, start + s->heard);

        f = f ? f + s->heard % SAMPLES * 4 : NULL;
        audio_level(s->out, MAX(at, u->cd.play_since), port_level(f, u->cd.audio + 6),
                    port_level(f, u->cd.audio + 8));
    }
    if (end > limit) {
        audio_level(s->out, clock_icount(c->d.env->sched, SAMPLE_CLOCK, start + limit), 0, 0);
    }
}

void atapi_sound_loaded(struct ide_channel *c)
{
    uint64_t now = sched_now(c->d.env->sched);

    for (unsigned n = 0; n < 2; n++) {
        const struct ide_unit *u = &c->unit[n];

        c->sound[n].held = false;
        c->sound[n].heard = u->cd.play == STATUS_PLAYING ? samples_at(c, u, now) : 0;
    }
}

bool atapi_play_sane(const struct ide_unit *u)
{
    return u->cd.play == 0 ||
           (u->cd.play >= STATUS_PLAYING && u->cd.play <= STATUS_COMPLETED && u->sectors &&
            u->cd.play_from <= u->cd.play_to && u->cd.play_to <= u->sectors);
}

/* --- information ------------------------------------------------------------------------------ */

static void put_position(struct ide_channel *c, uint8_t *b, uint32_t lba, bool msf)
{
    const struct ide_unit *u = ide_active(c);
    unsigned track = cd_track_of(u, lba);
    uint32_t start = cd_track_start(u, track);

    b[5] = control(u, track);
    b[6] = (uint8_t)track;
    b[7] = lba >= start; /* index */
    put_address(b + 8, lba, msf);
    if (msf) {
        put_msf(b + 12, lba >= start ? lba - start : start - lba);
    } else {
        put_be32(b + 12, lba - start);
    }
}

void atapi_read_subchannel(struct ide_channel *c, const uint8_t *p)
{
    struct ide_unit *u = ide_active(c);
    uint8_t *b = c->buf;
    uint32_t n = 4, at;

    if (!atapi_ready(c)) {
        return;
    }
    memset(b, 0, 24);
    at = head(c, u);
    b[1] = u->cd.play ? u->cd.play : STATUS_NONE;
    if (p[2] & 0x40) {
        b[4] = p[3];
        switch (p[3]) {
        case 1: /* where the head is */
            put_position(c, b, at, (p[1] & 2) != 0);
            n = 16;
            break;
        case 2: /* no catalogue number, no ISRC */
        case 3:
            n = 24;
            break;
        default:
            atapi_bad_field(c);
            return;
        }
        put_be16(b + 2, n - 4);
    }
    if (u->cd.play == STATUS_COMPLETED) {
        atapi_stop_play(c, u); /* told once */
    }
    atapi_offer(c, n, be16(p + 7));
}

void atapi_read_header(struct ide_channel *c, const uint8_t *p)
{
    const struct ide_unit *u = ide_active(c);
    uint32_t lba = be32(p + 2);
    enum cd_mode mode;

    if (!atapi_ready(c)) {
        return;
    }
    if (lba >= u->sectors) {
        atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_LBA, 0);
        return;
    }
    mode = cd_track_mode(u, cd_track_of(u, lba));
    if (mode == CD_AUDIO) {
        atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_TRACK_MODE, 0);
        return;
    }
    memset(c->buf, 0, 8);
    c->buf[0] = mode == CD_MODE2 ? 2 : 1;
    put_address(c->buf + 4, lba, (p[1] & 2) != 0);
    atapi_offer(c, 8, be16(p + 7));
}

void atapi_disc_information(struct ide_channel *c, const uint8_t *p)
{
    uint8_t *b = c->buf;

    if (!atapi_ready(c)) {
        return;
    }
    memset(b, 0, 34);
    put_be16(b, 32);
    b[2] = 0x0e; /* finalized, last session complete */
    b[3] = b[4] = b[5] = 1;
    b[6] = (uint8_t)cd_track_count(ide_active(c));
    b[7] = 0x20; /* unrestricted use */
    put_be32(b + 16, 0xffffffff);
    put_be32(b + 20, 0xffffffff);
    atapi_offer(c, 34, be16(p + 7));
}

void atapi_track_information(struct ide_channel *c, const uint8_t *p)
{
    const struct ide_unit *u = ide_active(c);
    uint8_t *b = c->buf;
    uint32_t where = be32(p + 2);
    unsigned track;

    if (!atapi_ready(c)) {
        return;
    }
    if ((p[1] & 3) == 0 ? where >= u->sectors : where < 1 || where > cd_track_count(u)) {
        atapi_bad_field(c);
        return;
    }
    track = (p[1] & 3) == 0 ? cd_track_of(u, where) : where;
    memset(b, 0, 28);
    put_be16(b, 26);
    b[2] = (uint8_t)track;
    b[3] = 1;
    if (cd_track_mode(u, track) != CD_AUDIO) {
        b[5] = 0x04; /* data track, uninterrupted */
        b[6] = cd_track_mode(u, track) == CD_MODE2 ? 0x02 : 0x01;
    }
    put_be32(b + 8, cd_track_start(u, track));
    put_be32(b + 24, cd_track_start(u, track + 1) - cd_track_start(u, track));
    atapi_offer(c, 28, be16(p + 7));
}
