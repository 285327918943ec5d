/*
 * A board that is saved in the middle of things - a disk's DMA, a packet on its way, sound buffers,
 * changes of video modes - and loaded into a new one: both go on alike, to the same state.
 *
 * Programs are those of other tests: guest/kill.asm writes records by DMA and PIO for ever,
 * guest/vbe_pm.asm goes through POST, mode sets and protected mode, guest/sound.asm plays on
 * everything.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/machine.h"
#include "memory/bytes.h"
#include "tests/cpu_fixture.h"

static const uint8_t disk_program[] = {
#include "tests/guest/kill.inc"
};
static const uint8_t video_program[] = {
#include "tests/guest/vbe_pm.inc"
};
static const uint8_t sound_program[] = {
#include "tests/guest/sound.inc"
};

/* An image whose changes are part of a saved state. */
static struct block *image(const uint8_t *data, size_t len, size_t size, bool boots)
{
    uint8_t *bytes = calloc(1, size);
    struct err e = {""};

    memcpy(bytes, data, len);
    if (boots) {
        put16(bytes + 510, 0xaa55);
    }
    struct block *b = block_open_mem(bytes, size, true, &e);
    free(bytes);
    b = b ? block_open_overlay(b, &e) : NULL;
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

static struct oxbow *board(const struct oxbow_config *cfg)
{
    struct err e = {""};
    struct oxbow *m = oxbow_new(cfg, &e);

    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

static struct oxbow *disk_board(void)
{
    static uint8_t rom[65536];
    struct oxbow_config cfg;

    memset(rom, 0xf4, sizeof rom);
    memcpy(rom, disk_program, sizeof disk_program);
    memcpy(rom + 0xfff0, "\xea\x00\x00\x00\xf0", 5); /* jmp F000:0000 */
    oxbow_config_init(&cfg);
    cfg.ram_mb = 2;
    cfg.bios = (struct oxbow_blob){rom, sizeof rom};
    cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, image(rom, 0, 4 << 20, false)};
    cfg.nic[0].model = OXBOW_NIC_NE2K_PCI;
    cfg.nic[1].model = OXBOW_NIC_NE2K_ISA;
    return board(&cfg);
}

static struct oxbow *boot_board(const uint8_t *program, size_t len, bool sound)
{
    struct oxbow_config cfg;

    oxbow_config_init(&cfg);
    cfg.ram_mb = 8;
    cfg.boot = "a";
    cfg.debug_exit = true;
    cfg.sb16.on = sound;
    cfg.audio_rate = sound ? 44100 : 0;
    cfg.floppy[0] = image(program, len, 1474560, true);
    return board(&cfg);
}

static struct oxbow *video_board(void)
{
    return boot_board(video_program, sizeof video_program, false);
}

static struct oxbow *sound_board(void)
{
    return boot_board(sound_program, sizeof sound_program, true);
}

/* Frames on both wires, one of them for nobody. */
static void frames(struct oxbow *m)
{
    static const uint8_t frame[300] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    oxbow_net_input(m, 0, frame, sizeof frame);
    oxbow_net_input(m, 1, frame, 60);
    oxbow_net_input(m, 1, frame, sizeof frame);
}

/*
 * Saves `times` times, `step` instructions apart from `from` on; each copy goes on for some more
 * than a step and must then be where the original is.
 */
static void follow(struct oxbow *(*make)(void), uint64_t from, uint64_t step, unsigned times,
                   void (*meanwhile)(struct oxbow *m))
{
    struct oxbow *m = make();
    struct err e = {""};

    oxbow_run(m, from);
    for (unsigned n = 0; n < times; n++) {
        size_t len;
        struct oxbow *copy = make();

        if (meanwhile) {
            meanwhile(m);
        }
        oxbow_run(m, step + n * 7);
        uint8_t *state = oxbow_save(m, &len, &e);
        ck_assert_msg(state != NULL, "%s", e.text);
        ck_assert_msg(oxbow_load(copy, state, len, &e), "%s", e.text);
        free(state);
        ck_assert_uint_eq(oxbow_hash(copy), oxbow_hash(m));
        /* The original's picture was looked at, the copy's never. */
        oxbow_surface(m);
        uint64_t end = oxbow_icount(m) + step + 3;
        oxbow_run(m, step + 3);
        oxbow_run(copy, step / 2);
        oxbow_run(copy, end - oxbow_icount(copy));
        ck_assert_uint_eq(oxbow_icount(copy), oxbow_icount(m));
        ck_assert_msg(oxbow_hash(copy) == oxbow_hash(m), "copy %u at %llu", n,
                      (unsigned long long)oxbow_icount(m));
        oxbow_free(m); /* the copy of a copy of a copy */
        m = copy;
    }
    oxbow_free(m);
}

START_TEST(disk_dma)
{
    follow(disk_board, 300, 4001, 150, NULL);
}
END_TEST

START_TEST(packets)
{
    follow(disk_board, 5000, 9001, 60, frames);
}
END_TEST

START_TEST(mode_switches)
{
    /* POST with its text mode, then mode 103h: 9.5 to 11 million instructions after the start. */
    follow(video_board, 1000, 130000, 50, NULL);
    follow(video_board, 9500000, 20011, 60, NULL);
}
END_TEST

START_TEST(sound_buffers)
{
    follow(sound_board, 30000000, 20000003, 30, NULL);
}
END_TEST

FIX_SUITE("roundtrip", disk_dma, packets, mode_switches, sound_buffers)
