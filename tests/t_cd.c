/*
 * Discs with several tracks: cue sheets, and the drive's commands on them - table of contents, READ
 * CD, playing audio tracks in virtual time, what is heard of it, a state saved in the middle.
 */
#include <stdio.h>
#include <unistd.h>

#include "devices/cd_layout.h"
#include "tests/audio_rig.h"
#include "tests/ide_rig.h"

/* 200 frames of data, two seconds of silence, 300 and 200 frames of audio, the last with a gap. */
enum { DATA = 200, SONG2 = 350, SONG3 = 650, LEAD_OUT = 850, SONG_FRAMES = 500 };
static const char sheet[] =
    "REM a disc\n"
    "FILE \"cd-data.bin\" BINARY\r\n"
    "  TRACK 01 MODE1/2048\n"
    "    INDEX 01 00:00:00\n"
    "FILE cd-songs.bin BINARY\n"
    "  TRACK 02 AUDIO\n"
    "    FLAGS DCP\n"
    "    PREGAP 00:02:00\n"
    "    INDEX 01 00:00:00\n"
    "  TRACK 03 AUDIO\n"
    "    TITLE \"The last one\"\n"
    "    INDEX 00 00:03:00\n"
    "    INDEX 01 00:04:00\n"
    "    INDEX 02 00:05:00\n";

static void put_file(const char *name, const void *data, size_t len)
{
    FILE *f = fopen(name, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

/* Left: a square wave of 441 Hz; right: the number of the frame in its file. */
static void make_files(void)
{
    static uint8_t data[DATA * 2048], songs[SONG_FRAMES * CD_RAW];

    for (unsigned n = 0; n < DATA; n++) {
        memset(data + n * 2048, (int)n, 2048);
    }
    for (unsigned k = 0; k < SONG_FRAMES * CD_RAW / 4; k++) {
        put16(songs + k * 4, (uint16_t)(k / 50 % 2 ? 8000 : -8000));
        put16(songs + k * 4 + 2, (uint16_t)(k / 588));
    }
    put_file("cd-data.bin", data, sizeof data);
    put_file("cd-songs.bin", songs, sizeof songs);
    put_file("cd-test.cue", sheet, sizeof sheet - 1);
}

static void remove_files(void)
{
    unlink("cd-data.bin");
    unlink("cd-songs.bin");
    unlink("cd-test.cue");
}

static struct block *open_disc(void)
{
    struct err e = {""};

    make_files();
    struct block *b = block_open_cue("cd-test.cue", &e);
    remove_files();
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

static void note(struct block_req *req, enum block_error error)
{
    *(int *)req->arg = (int)error;
}

static void read_block(struct block *b, uint64_t sector, uint32_t count, uint8_t *to)
{
    int result = -1;
    struct block_req req = {.cmd = BLOCK_READ, .sector = sector, .count = count, .buf = to,
                            .done = note, .arg = &result};

    block_submit(b, &req);
    ck_assert_int_eq(result, BLOCK_OK);
}

START_TEST(layout)
{
    static const uint32_t start[] = {0, SONG2, SONG3}, gap[] = {0, DATA, SONG3 - 75};
    struct block *b = open_disc();
    uint8_t frame[2 * 2560];

    ck_assert_uint_eq(b->sectors, LEAD_OUT * 5);
    ck_assert(b->read_only);
    ck_assert_str_eq(b->label, "cd-test.cue");
    ck_assert_uint_eq(b->cd->frames, LEAD_OUT);
    ck_assert_uint_eq(b->cd->tracks, 3);
    for (unsigned n = 0; n < 3; n++) {
        ck_assert_uint_eq(b->cd->track[n].start, start[n]);
        ck_assert_uint_eq(b->cd->track[n].gap, gap[n]);
        ck_assert_uint_eq(b->cd->track[n].mode, n ? CD_AUDIO : CD_MODE1);
    }
    read_block(b, 199 * 5, 10, frame); /* the last of the data, and silence */
    ck_assert_uint_eq(get32(frame), 0xffffff00);
    ck_assert_int_eq(memcmp(frame + 12, "\x00\x04\x49\x01", 4), 0); /* 00:04:49 */
    ck_assert_uint_eq(frame[16], 199);
    ck_assert_uint_eq(frame[16 + 2047], 199);
    ck_assert_uint_eq(frame[16 + 2048], 0);
    for (unsigned n = 2560; n < 2 * 2560; n++) {
        ck_assert_uint_eq(frame[n], 0);
    }
    read_block(b, SONG3 * 5, 1, frame); /* and from the middle of a frame */
    ck_assert_uint_eq(get16(frame + 2), 300);
    read_block(b, SONG3 * 5 + 4, 2, frame);
    ck_assert_uint_eq(get16(frame + 302), 300);
    ck_assert_uint_eq(get16(frame + 304), 0);
    ck_assert_uint_eq(get16(frame + 514), 301);
    block_close(b);
}
END_TEST

static void refused(const char *text, const char *why)
{
    struct err e = {""};

    put_file("cd-bad.cue", text, strlen(text));
    struct block *b = block_open_cue("cd-bad.cue", &e);
    ck_assert_ptr_null(b);
    ck_assert_msg(strstr(e.text, why) != NULL, "%s", e.text);
}

#define HEAD "FILE cd-songs.bin BINARY\nTRACK 01 AUDIO\n"

START_TEST(bad_sheets)
{
    struct err e = {""};

    make_files();
    refused("hello\n", "no cue sheet");
    refused("REM\n", "no tracks");
    refused("TRACK 01 AUDIO\n", "FILE before it");
    refused("FILE a.wav WAVE\n", "BINARY");
    refused("FILE a.bin\n", "a name and a type");
    refused("FILE cd-none.bin BINARY\n", "cd-none.bin: no such file");
    refused("FILE cd-songs.bin BINARY\nTRACK 02 AUDIO\n", "count from 1");
    refused("FILE cd-songs.bin BINARY\nTRACK 01 CDG\n", "none of AUDIO");
    refused("FILE cd-songs.bin BINARY\nTRACK 01\n", "TRACK needs");
    refused(HEAD "INDEX 01\n", "line 3 of the cue sheet: a time");
    refused(HEAD "INDEX\n", "INDEX needs");
    refused(HEAD "INDEX 01 0:0:75\n", "MM:SS:FF");
    refused(HEAD "INDEX 01 0:60:0\n", "MM:SS:FF");
    refused(HEAD "INDEX 01 100:0:0\n", "MM:SS:FF");
    refused(HEAD "INDEX 01 1:2\n", "MM:SS:FF");
    refused(HEAD "HELLO\n", "unknown word");
    refused(HEAD "PREGAP x\n", "MM:SS:FF");
    refused(HEAD, "track 1 of the cue sheet has no INDEX 01");
    refused(HEAD "INDEX 01 00:07:00\n", "has no INDEX 01 inside");
    refused(HEAD "INDEX 01 0:0:0\nTRACK 02 AUDIO\nINDEX 01 0:8:0\n", "goes past the end");
    refused(HEAD "INDEX 01 0:0:0\nTRACK 02 AUDIO\nINDEX 01 0:0:0\n", "goes past the end");
    refused(HEAD "INDEX 01 0:0:0\nPOSTGAP 99:59:00\nTRACK 02 AUDIO\nINDEX 01 0:1:0\n", "too long");
    ck_assert_ptr_null(block_open_cue("cd-none.cue", &e));
    ck_assert_msg(strstr(e.text, "no such file") != NULL, "%s", e.text);
    unlink("cd-bad.cue");
    remove_files();
}
END_TEST

/* Modes in one file, one after the other; a first track that starts inside of its file. */
START_TEST(sheet_modes)
{
    static uint8_t file[20 * 2336 + 20 * CD_RAW];
    uint8_t frame[2560];
    struct err e = {""};

    for (unsigned n = 0; n < sizeof file; n++) {
        file[n] = (uint8_t)(n < 20 * 2336 ? n / 2336 : 100 + (n - 20 * 2336) / CD_RAW);
    }
    put_file("cd-mixed.bin", file, sizeof file);
    static const char text[] = "file cd-mixed.bin binary\ntrack 1 mode2/2336\nindex 00 0:0:0\n"
                               "index 01 0:0:4\ntrack 2 mode2/2352\npostgap 0:0:2\n"
                               "index 1 0:0:20\ntrack 3 mode1/2352\nindex 1 0:0:30\n";
    put_file("cd-mixed.cue", text, sizeof text - 1);
    struct block *b = block_open_cue("cd-mixed.cue", &e);
    unlink("cd-mixed.bin");
    unlink("cd-mixed.cue");
    ck_assert_msg(b != NULL, "%s", e.text);
    ck_assert_uint_eq(b->cd->frames, 16 + 10 + 2 + 10);
    ck_assert_uint_eq(b->cd->track[1].start, 16);
    ck_assert_uint_eq(b->cd->track[2].start, 28);
    read_block(b, 0, 5, frame);
    ck_assert_uint_eq(frame[15], 2);
    ck_assert_uint_eq(frame[16], 4);
    ck_assert_uint_eq(frame[2351], 4);
    read_block(b, 16 * 5, 5, frame);
    ck_assert_uint_eq(frame[0], 100);
    ck_assert_uint_eq(frame[2351], 100);
    read_block(b, 28 * 5, 5, frame);
    ck_assert_uint_eq(frame[0], 110);
    block_close(b);
}
END_TEST

/* --- the drive -------------------------------------------------------------------------------- */

struct drive {
    struct ide_rig g;
    struct block *disc;
    struct ear *ear;
};

static void drive_init(struct drive *d, struct block *disc)
{
    struct ide_config k = {0};
    struct ide_pci_config p = {0};
    struct rig *r = &d->g.r;

    memset(d, 0, sizeof *d);
    d->disc = disc;
    rig_init(r);
    d->ear = ear_new(ear_mixer(r, EAR_RATE));
    k.command_port = 0x1f0;
    k.control_port = 0x3f6;
    k.irq = pin_line(&d->g.irq, r);
    k.unit[0].kind = IDE_CDROM;
    k.unit[0].block = d->disc;
    k.unit[0].audio = audio_connect(d->ear->audio, AUDIO_BOARD);
    p.pci = rig_add(r, &pci_class, "pci", NULL);
    p.slot = 1;
    p.channel[0] = d->g.ide = rig_add(r, &ide_class, "ide0", &k);
    rig_add(r, &ide_pci_class, "ide_pci", &p);
    rig_run(r, 1000000);
    out8(r, 0x1f6, 0xa0);
}

static void drive_free(struct drive *d)
{
    rig_free(&d->g.r);
    block_close(d->disc);
    free(d->ear);
}

/* Sends a packet; returns the status behind it. */
static uint8_t packet(struct drive *d, const uint8_t *p)
{
    struct rig *r = &d->g.r;

    out8(r, 0x1f1, 0);
    out8(r, 0x1f4, 0xfe);
    out8(r, 0x1f5, 0xff);
    out8(r, 0x1f7, 0xa0);
    ck_assert_uint_eq(wait_idle(&d->g), 0x58);
    write_data(&d->g, p, 12);
    return wait_idle(&d->g);
}

static unsigned run_in(struct drive *d, const uint8_t *p, uint8_t *to, unsigned room)
{
    unsigned n = 0;

    ck_assert_msg(!(packet(d, p) & ERR), "packet %02x failed", p[0]);
    while (wait_idle(&d->g) & DRQ) {
        unsigned bytes = in8(&d->g.r, 0x1f4) | (unsigned)in8(&d->g.r, 0x1f5) << 8;

        ck_assert_uint_le(n + bytes, room);
        read_data(&d->g, to + n, bytes);
        n += bytes;
    }
    return n;
}

static void done(struct drive *d, const uint8_t *p)
{
    ck_assert_msg(packet(d, p) == 0x50, "packet %02x", p[0]);
}

/* The packet fails with this key << 16 | code << 8. */
static void fails(struct drive *d, const uint8_t *p, unsigned sense)
{
    static const uint8_t ask[12] = {0x03, 0, 0, 0, 18};
    uint8_t b[18];

    ck_assert_msg(packet(d, p) & ERR, "packet %02x", p[0]);
    run_in(d, ask, b, sizeof b);
    ck_assert_uint_eq((unsigned)b[2] << 16 | (unsigned)b[12] << 8 | b[13], sense);
}

static void loaded(struct drive *d)
{
    static const uint8_t ready[12] = {0};

    drive_init(d, open_disc());
    fails(d, ready, 0x062900);
    done(d, ready);
}

static unsigned be24(const uint8_t *p)
{
    return (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
}

static unsigned msf(const uint8_t *p)
{
    return (p[0] * 60u + p[1]) * 75 + p[2];
}

START_TEST(table_of_contents)
{
    static const uint8_t control[] = {0x14, 0x10, 0x10, 0x10}, number[] = {1, 2, 3, 0xaa};
    static const unsigned start[] = {0, SONG2, SONG3, LEAD_OUT};
    uint8_t p[12] = {0x43, 0, 0, 0, 0, 0, 0, 1, 0}, b[200];
    struct drive d;

    loaded(&d);
    ck_assert_uint_eq(run_in(&d, p, b, sizeof b), 4 + 4 * 8);
    ck_assert_uint_eq(b[1], 4 * 8 + 2);
    ck_assert_uint_eq(b[2], 1);
    ck_assert_uint_eq(b[3], 3);
    for (unsigned n = 0; n < 4; n++) {
        ck_assert_uint_eq(b[4 + n * 8 + 1], control[n]);
        ck_assert_uint_eq(b[4 + n * 8 + 2], number[n]);
        ck_assert_uint_eq(be24(b + 4 + n * 8 + 5), start[n]);
    }
    p[1] = 2; /* in minutes */
    p[6] = 3;
    ck_assert_uint_eq(run_in(&d, p, b, sizeof b), 4 + 2 * 8);
    ck_assert_uint_eq(b[6], 3);
    ck_assert_uint_eq(msf(b + 9), SONG3 + 150);
    p[6] = 4;
    fails(&d, p, 0x052400);
    p[6] = 0;
    p[2] = 2; /* the lead-in itself */
    ck_assert_uint_eq(run_in(&d, p, b, sizeof b), 4 + 6 * 11);
    ck_assert_uint_eq(b[4 + 3], 0xa0);
    ck_assert_uint_eq(b[4 + 8], 1);
    ck_assert_uint_eq(b[4 + 11 + 8], 3);
    ck_assert_uint_eq(b[4 + 11 + 1], 0x10);
    ck_assert_uint_eq(msf(b + 4 + 22 + 8), LEAD_OUT + 150);
    ck_assert_uint_eq(b[4 + 44 + 3], 2);
    ck_assert_uint_eq(msf(b + 4 + 44 + 8), SONG2 + 150);
    drive_free(&d);
}
END_TEST

START_TEST(disc_and_tracks)
{
    uint8_t info[12] = {0x51, 0, 0, 0, 0, 0, 0, 0, 34}, b[34];
    uint8_t track[12] = {0x52, 1, 0, 0, 0, 3, 0, 0, 28};
    uint8_t header[12] = {0x44, 0, 0, 0, 0, 9, 0, 0, 8};
    uint8_t capacity[12] = {0x25};
    struct drive d;

    loaded(&d);
    run_in(&d, info, b, sizeof b);
    ck_assert_uint_eq(b[6], 3);
    run_in(&d, track, b, sizeof b);
    ck_assert_uint_eq(b[2], 3);
    ck_assert_uint_eq(b[5], 0);
    ck_assert_uint_eq(be24(b + 9), SONG3);
    ck_assert_uint_eq(be24(b + 25), LEAD_OUT - SONG3);
    track[1] = 0; /* by a block: 3 is in track 1 */
    run_in(&d, track, b, sizeof b);
    ck_assert_uint_eq(b[2], 1);
    ck_assert_uint_eq(b[5], 4);
    track[1] = 1;
    track[5] = 4;
    fails(&d, track, 0x052400);
    run_in(&d, header, b, sizeof b);
    ck_assert_uint_eq(b[0], 1);
    header[4] = SONG2 >> 8;
    header[5] = SONG2 & 0xff;
    fails(&d, header, 0x056400);
    run_in(&d, capacity, b, sizeof b);
    ck_assert_uint_eq(be24(b + 1), LEAD_OUT - 1);
    drive_free(&d);
}
END_TEST

START_TEST(reading)
{
    static uint8_t b[50 * CD_RAW];
    uint8_t read10[12] = {0x28, 0, 0, 0, 0, 150, 0, 0, 50};
    uint8_t cd[12] = {0xbe, 0, 0, 0, SONG3 >> 8, SONG3 & 0xff, 0, 0, 50, 0x10};
    struct drive d;

    loaded(&d);
    ck_assert_uint_eq(run_in(&d, read10, b, sizeof b), 50 * 2048);
    ck_assert_uint_eq(b[0], 150);
    ck_assert_uint_eq(b[50 * 2048 - 1], 199);
    read10[8] = 51; /* into the gap */
    fails(&d, read10, 0x056400);
    ck_assert_uint_eq(run_in(&d, cd, b, sizeof b), 50 * CD_RAW);
    for (unsigned n = 0; n < 50; n++) {
        ck_assert_uint_eq(get16(b + n * CD_RAW + 2), 300 + n);
        ck_assert_uint_eq(get16(b + (n + 1) * CD_RAW - 2), 300 + n);
    }
    cd[1] = 1 << 2; /* audio wanted */
    cd[9] = 0xf8;
    ck_assert_uint_eq(run_in(&d, cd, b, sizeof b), 50 * CD_RAW);
    cd[9] = 0x80; /* there is no synchronisation in audio */
    ck_assert_uint_eq(run_in(&d, cd, b, sizeof b), 0);
    cd[9] = 0x10;
    cd[1] = 2 << 2; /* mode 1 wanted */
    fails(&d, cd, 0x056400);
    cd[1] = 6 << 2;
    fails(&d, cd, 0x052400);
    cd[1] = 0;
    cd[4] = 0;
    cd[5] = 190; /* over a change of modes */
    fails(&d, cd, 0x056400);
    cd[8] = 10;
    cd[9] = 0xb8; /* a whole frame of the data track */
    ck_assert_uint_eq(run_in(&d, cd, b, sizeof b), 10 * CD_RAW);
    ck_assert_uint_eq(b[15], 1);
    ck_assert_uint_eq(b[16], 190);
    ck_assert_uint_eq(b[9 * CD_RAW + 16 + 2047], 199);
    drive_free(&d);
}
END_TEST

/* Form 1 and form 2 have their parts in other places. */
START_TEST(reading_mode_2)
{
    static uint8_t file[40 * CD_RAW];
    static uint8_t b[10 * CD_RAW];
    static const struct {
        uint8_t type, parts;
        unsigned bytes, at; /* of a frame; where its first byte lies in the whole frame */
    } row[] = {{0, 0x10, 2048, 24}, {3, 0x10, 2336, 16}, {4, 0x10, 2048, 24}, {5, 0x10, 2324, 24},
               {0, 0x40, 8, 16},    {4, 0x60, 12, 12},   {4, 0x08, 280, 2072}, {5, 0x08, 4, 2348},
               {5, 0xf8, 2352, 0},  {3, 0x30, 2340, 12}};
    static const char text[] = "FILE cd-xa.bin BINARY\nTRACK 1 MODE2/2352\nINDEX 1 0:0:0\n";
    uint8_t p[12] = {0xbe, 0, 0, 0, 0, 7, 0, 0, 10, 0}, tur[12] = {0}, header[12] = {0x44, 0, 0, 0,
                     0, 1, 0, 0, 8};
    struct err e = {""};
    struct drive d;

    for (unsigned n = 0; n < sizeof file; n++) {
        file[n] = (uint8_t)(n / CD_RAW * 7 + n % CD_RAW);
    }
    put_file("cd-xa.bin", file, sizeof file);
    put_file("cd-xa.cue", text, sizeof text - 1);
    struct block *disc = block_open_cue("cd-xa.cue", &e);
    unlink("cd-xa.bin");
    unlink("cd-xa.cue");
    ck_assert_msg(disc != NULL, "%s", e.text);
    drive_init(&d, disc);
    fails(&d, tur, 0x062900);
    for (unsigned k = 0; k < ARRAY_LEN(row); k++) {
        p[1] = (uint8_t)(row[k].type << 2);
        p[9] = row[k].parts;
        ck_assert_uint_eq(run_in(&d, p, b, sizeof b), 10 * row[k].bytes);
        for (unsigned n = 0; n < 10; n++) {
            ck_assert_uint_eq(b[n * row[k].bytes], (uint8_t)((7 + n) * 7 + row[k].at));
        }
    }
    p[1] = 2 << 2;
    fails(&d, p, 0x056400);
    run_in(&d, header, b, 8);
    ck_assert_uint_eq(b[0], 2);
    drive_free(&d);
}
END_TEST

/* Status of playing; *lba is where the head is. */
static unsigned position(struct drive *d, unsigned *lba)
{
    static const uint8_t p[12] = {0x42, 0, 0x40, 1, 0, 0, 0, 0, 16};
    uint8_t b[16];

    ck_assert_uint_eq(run_in(d, p, b, sizeof b), 16);
    *lba = be24(b + 9);
    return b[1];
}

#define MS 1000000u
static const uint8_t play2[12] = {0x45, 0, 0, 0, SONG2 >> 8, SONG2 & 0xff, 0, 1, 44}; /* 4 s */
static const uint8_t hold[12] = {0x4b}, go_on[12] = {0x4b, 0, 0, 0, 0, 0, 0, 0, 1};

START_TEST(playing)
{
    static const uint8_t stop[12] = {0x4e}, motor_off[12] = {0x1b};
    uint8_t sub[12] = {0x42, 2, 0x40, 1, 0, 0, 0, 0, 16}, b[16];
    uint8_t p[12] = {0x47, 0, 0, 0, 10, 50, 0, 13, 25};
    uint8_t gap[12] = {0x45, 0, 0, 0, (SONG3 - 20) >> 8, 0, 0, 0, 50};
    struct drive d;
    unsigned lba;

    loaded(&d);
    ck_assert_uint_eq(position(&d, &lba), 0x15);
    done(&d, play2);
    rig_run(&d.g.r, 1000 * MS);
    ck_assert_uint_eq(position(&d, &lba), 0x11);
    ck_assert_uint_ge(lba, SONG2 + 75);
    ck_assert_uint_le(lba, SONG2 + 76);
    run_in(&d, sub, b, sizeof b); /* in minutes: absolute, and in the track */
    ck_assert_uint_eq(b[5], 0x10);
    ck_assert_uint_eq(b[6], 2);
    ck_assert_uint_eq(msf(b + 9) - 150, SONG2 + msf(b + 13));
    done(&d, hold);
    ck_assert_uint_eq(position(&d, &lba), 0x12);
    unsigned at = lba;
    rig_run(&d.g.r, 500 * MS);
    ck_assert_uint_eq(position(&d, &lba), 0x12);
    ck_assert_uint_eq(lba, at);
    done(&d, hold); /* no harm */
    done(&d, go_on);
    rig_run(&d.g.r, 1000 * MS);
    ck_assert_uint_eq(position(&d, &lba), 0x11);
    ck_assert_uint_ge(lba, at + 75);
    ck_assert_uint_le(lba, at + 76);
    rig_run(&d.g.r, 2100 * MS);
    ck_assert_uint_eq(position(&d, &lba), 0x13);
    ck_assert_uint_eq(lba, SONG2 + 300);
    ck_assert_uint_eq(position(&d, &lba), 0x15); /* told once */
    fails(&d, hold, 0x052c00);
    /* From the gap before the last track, which counts backwards. */
    gap[5] = (SONG3 - 20) & 0xff;
    done(&d, gap);
    run_in(&d, sub, b, sizeof b);
    ck_assert_uint_eq(b[6], 3);
    ck_assert_uint_eq(b[7], 0);
    ck_assert_uint_eq(msf(b + 13), 20);
    /* By minutes, into the next track: 00:10:50 to 00:13:25. */
    done(&d, p);
    ck_assert_uint_eq(position(&d, &lba), 0x11);
    ck_assert_uint_eq(lba, 650);
    done(&d, stop);
    ck_assert_uint_eq(position(&d, &lba), 0x15);
    ck_assert_uint_eq(lba, 650);
    p[3] = p[4] = p[5] = 0xff; /* from where the head is */
    done(&d, p);
    rig_run(&d.g.r, 100 * MS);
    ck_assert_uint_eq(position(&d, &lba), 0x11);
    ck_assert_uint_ge(lba, 657);
    done(&d, motor_off);
    ck_assert_uint_eq(position(&d, &lba), 0x15);
    drive_free(&d);
}
END_TEST

START_TEST(not_playable)
{
    uint8_t p[12] = {0x45, 0, 0, 0, 0, 10, 0, 0, 10}, b[2048];
    uint8_t play12[12] = {0xa5, 0, 0, 0, SONG3 >> 8, SONG3 & 0xff, 0, 0, 0, 200};
    uint8_t by_time[12] = {0x47, 0, 0, 0, 10, 0, 0, 9, 0};
    static const uint8_t read[12] = {0x28, 0, 0, 0, 0, 5, 0, 0, 1}, eject[12] = {0x1b, 0, 0, 0, 2};
    struct drive d;
    unsigned lba;

    loaded(&d);
    fails(&d, p, 0x056400); /* data */
    done(&d, play12);
    ck_assert_uint_eq(position(&d, &lba), 0x11);
    play12[9] = 201;
    fails(&d, play12, 0x052100); /* past the lead-out */
    fails(&d, by_time, 0x052400); /* backwards */
    ck_assert_uint_eq(position(&d, &lba), 0x11);
    run_in(&d, read, b, sizeof b); /* reading ends it */
    ck_assert_uint_eq(position(&d, &lba), 0x15);
    p[4] = SONG2 >> 8;
    p[5] = SONG2 & 0xff;
    p[8] = 0; /* nothing to play */
    done(&d, p);
    ck_assert_uint_eq(position(&d, &lba), 0x15);
    done(&d, play2);
    done(&d, eject);
    fails(&d, p, 0x023a02);
    fails(&d, hold, 0x023a02);
    drive_free(&d);
}
END_TEST

/* The levels of the disc, sample by sample, at the drive's volume; then silence. */
START_TEST(hearing)
{
    static const uint8_t select[12] = {0x55, 0x10, 0, 0, 0, 0, 0, 0, 24};
    static const uint8_t list[24] = {0, 0, 0, 0, 0, 0, 0, 0, 0x0e, 14, 4, 0,
                                     0, 0, 0, 75, 2, 255, 1, 51, 0, 0, 0, 0};
    struct drive d;

    loaded(&d);
    ear_skip(d.ear);
    done(&d, play2);
    ear_listen(d.ear, &d.g.r, 1000 * MS, 7 * MS);
    ck_assert_uint_ge(d.ear->n, 44000);
    size_t k = 0, edges = 0;
    while (k < d.ear->n && d.ear->frame[k][0] == 0) {
        k++;
    }
    ck_assert_uint_lt(k, 100);
    for (size_t n = k + 10; n + 1 < d.ear->n; n++) {
        edges += d.ear->frame[n][0] < 0 && d.ear->frame[n + 1][0] >= 0;
    }
    ck_assert_uint_ge(edges, 435);
    ck_assert_uint_le(edges, 445);
    ck_assert_int_eq(d.ear->frame[k + 25][0], -8000);
    ck_assert_int_eq(d.ear->frame[k + 75][0], 8000);
    ck_assert_int_eq(d.ear->frame[k + 588 * 70][1], 70);
    /* Channels exchanged, the right output at a fifth. */
    ck_assert_uint_eq(packet(&d, select), 0x58);
    write_data(&d.g, list, sizeof list);
    wait_idle(&d.g);
    ear_skip(d.ear);
    ear_listen(d.ear, &d.g.r, 300 * MS, 50 * MS);
    int high = 0;
    for (size_t n = 1; n < d.ear->n; n++) { /* the first began before */
        high = MAX(high, d.ear->frame[n][1]);
        ck_assert_int_ge(d.ear->frame[n][0], 70);
        ck_assert_int_le(d.ear->frame[n][0], 110);
    }
    ck_assert_int_eq(high, 1600);
    done(&d, hold);
    rig_run(&d.g.r, MS);
    ear_skip(d.ear);
    ear_listen(d.ear, &d.g.r, 100 * MS, 50 * MS);
    for (size_t n = 0; n < d.ear->n; n++) {
        ck_assert_int_eq(d.ear->frame[n][0], 0);
    }
    drive_free(&d);
}
END_TEST

/* Saved while it plays: goes on at the same place, and is heard alike. */
START_TEST(saved_while_playing)
{
    struct drive d;
    unsigned lba;

    loaded(&d);
    done(&d, play2);
    rig_run(&d.g.r, 777 * MS);
    rig_round_trip(&d.g.r);
    rig_run(&d.g.r, 223 * MS);
    ck_assert_uint_eq(position(&d, &lba), 0x11);
    ck_assert_uint_ge(lba, SONG2 + 75);
    ck_assert_uint_le(lba, SONG2 + 76);
    ear_skip(d.ear);
    ear_listen(d.ear, &d.g.r, 100 * MS, 10 * MS);
    ck_assert_uint_ge(d.ear->n, 4000);
    for (size_t n = 0; n < d.ear->n; n++) {
        ck_assert_int_ge(d.ear->frame[n][1], 74);
        ck_assert_int_le(d.ear->frame[n][1], 90);
    }
    rig_run(&d.g.r, 3100 * MS);
    ck_assert_uint_eq(position(&d, &lba), 0x13);
    rig_round_trip(&d.g.r);
    /* Another disc, and the drive knows nothing of the old one's music. */
    done(&d, play2);
    ck_assert(ide_set_media(d.g.ide, 0, NULL));
    ear_skip(d.ear);
    ear_listen(d.ear, &d.g.r, 10 * MS, MS);
    for (size_t n = 0; n < d.ear->n; n++) {
        ck_assert_int_eq(d.ear->frame[n][0], 0);
    }
    drive_free(&d);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, layout);
    tcase_add_test(t, bad_sheets);
    tcase_add_test(t, sheet_modes);
    tcase_add_test(t, table_of_contents);
    tcase_add_test(t, disc_and_tracks);
    tcase_add_test(t, reading);
    tcase_add_test(t, reading_mode_2);
    tcase_add_test(t, playing);
    tcase_add_test(t, not_playable);
    tcase_add_test(t, hearing);
    tcase_add_test(t, saved_while_playing);
}

int main(void)
{
    return rig_main("cd", add);
}
