/*
 * Old traps on the whole board: things on which emulators have hung systems before.  Registers that
 * two IDE drives share, the floppy's change line, VBE switched off from V86, the keyboard's scan
 * sets, timer counts of zero, BCD and 12-hour clocks, the CMOS sum, and disks past 535 MB and 8 GB
 * as INT 13h shows them.
 *
 * Where no program is named the processor sits in a ROM that only halts.  t_board.c has the traps
 * that need firmware in memory: A20, empty places, clocks that go back, spurious interrupts, self
 * tests.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/machine.h"
#include "memory/bytes.h"
#include "tests/cpu_fixture.h"

static uint8_t inb(struct oxbow *m, unsigned port)
{
    return (uint8_t)bus_read(m->io, port, 1);
}

static void outb(struct oxbow *m, unsigned port, unsigned v)
{
    bus_write(m->io, port, 1, v);
}

static void wait_ms(struct oxbow *m, unsigned ms)
{
    ck_assert_int_eq(oxbow_run(m, oxbow_ips(m) / 1000 * ms), OXBOW_LIMIT);
}

static struct block *blank(size_t size)
{
    struct err e = {{0}};
    uint8_t *image = calloc(1, size);
    struct block *b = block_open_mem(image, size, true, &e);

    free(image);
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

static struct oxbow *start(const struct oxbow_config *cfg)
{
    struct err e = {{0}};
    struct oxbow *m = oxbow_new(cfg, &e);

    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

/* A board whose processor halts at once: two disks, a floppy drive. */
static struct oxbow *idle_board(void)
{
    static uint8_t rom[65536];
    struct oxbow_config cfg;

    memset(rom, 0xf4, sizeof rom);
    memcpy(rom + 0xfff0, "\xfa\xf4\xeb\xfd", 4); /* cli ; hlt ; jmp */
    oxbow_config_init(&cfg);
    cfg.ram_mb = 2;
    cfg.bios = (struct oxbow_blob){rom, sizeof rom};
    cfg.floppy[0] = blank(1474560);
    cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, blank(4 << 20)};
    cfg.drive[1] = (struct oxbow_drive){OXBOW_DRIVE_DISK, blank(4 << 20)};
    cfg.rtc = (struct oxbow_rtc){1999, 12, 31, 23, 59, 58};
    struct oxbow *m = start(&cfg);
    wait_ms(m, 100);
    return m;
}

/* A board with our firmware that starts `code` from the first sector of `disk`. */
static struct oxbow *boot(struct block *disk)
{
    struct oxbow_config cfg;

    oxbow_config_init(&cfg);
    cfg.ram_mb = 8;
    cfg.boot = "c";
    cfg.debug_exit = true;
    cfg.no_reboot = true;
    cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, disk};
    struct oxbow *m = start(&cfg);
    ck_assert_int_eq(oxbow_run(m, 2000000000), OXBOW_DEBUG_EXIT);
    return m;
}

/* --- IDE -------------------------------------------------------------------------------------- */

/* A write goes to both drives, whichever is selected; Windows 9x hangs where each keeps its own. */
START_TEST(ide_registers_are_shared)
{
    struct oxbow *m = idle_board();

    outb(m, 0x1f6, 0xa0);
    for (unsigned reg = 2; reg < 6; reg++) {
        outb(m, 0x1f0 + reg, 0x50 + reg);
    }
    outb(m, 0x1f6, 0xb0);
    for (unsigned reg = 2; reg < 6; reg++) {
        ck_assert_uint_eq(inb(m, 0x1f0 + reg), 0x50 + reg);
        outb(m, 0x1f0 + reg, 0x60 + reg);
    }
    ck_assert_uint_eq(inb(m, 0x1f6), 0xb0);
    outb(m, 0x1f6, 0xa0);
    for (unsigned reg = 2; reg < 6; reg++) {
        ck_assert_uint_eq(inb(m, 0x1f0 + reg), 0x60 + reg);
    }
    /* Results are the drive's own: drive 0 counts its registers, drive 1 does not see that. */
    outb(m, 0x1f2, 1);
    outb(m, 0x1f3, 1);
    outb(m, 0x1f4, 0);
    outb(m, 0x1f5, 0);
    outb(m, 0x1f7, 0x91);
    wait_ms(m, 10);
    ck_assert_uint_eq(inb(m, 0x1f7) & 0x81, 0);
    outb(m, 0x1f6, 0xb0);
    ck_assert_uint_eq(inb(m, 0x1f7) & 0xc9, 0x40);
    oxbow_free(m);
}
END_TEST

/* --- floppy ----------------------------------------------------------------------------------- */

static void fdc_byte(struct oxbow *m, unsigned v)
{
    for (unsigned k = 0; k < 100 && (inb(m, 0x3f4) & 0xc0) != 0x80; k++) {
        wait_ms(m, 1);
    }
    outb(m, 0x3f5, v);
}

static void seek(struct oxbow *m, unsigned cylinder)
{
    fdc_byte(m, 0x0f);
    fdc_byte(m, 0);
    fdc_byte(m, cylinder);
    wait_ms(m, 600);
    fdc_byte(m, 0x08);
    for (unsigned k = 0; k < 8 && (inb(m, 0x3f4) & 0xd0) == 0xd0; k++) {
        inb(m, 0x3f5);
    }
}

START_TEST(floppy_change_line)
{
    struct oxbow *m = idle_board();
    struct err e = {{0}};

    outb(m, 0x3f2, 0x1c);
    wait_ms(m, 10);
    seek(m, 1);
    seek(m, 0);
    ck_assert_uint_eq(inb(m, 0x3f7) & 0x80, 0);
    ck_assert(oxbow_media(m, "fda", NULL, &e));
    ck_assert_uint_eq(inb(m, 0x3f7) & 0x80, 0x80);
    seek(m, 1); /* no disk: the line stays */
    ck_assert_uint_eq(inb(m, 0x3f7) & 0x80, 0x80);
    ck_assert(oxbow_media(m, "fda", blank(737280), &e));
    ck_assert_uint_eq(inb(m, 0x3f7) & 0x80, 0x80);
    seek(m, 1); /* no step: neither */
    ck_assert_uint_eq(inb(m, 0x3f7) & 0x80, 0x80);
    outb(m, 0x3f2, 0x0c); /* the motor is off: not selected */
    ck_assert_uint_eq(inb(m, 0x3f7) & 0x80, 0);
    outb(m, 0x3f2, 0x1c);
    seek(m, 0);
    ck_assert_uint_eq(inb(m, 0x3f7) & 0x80, 0);
    oxbow_free(m);
}
END_TEST

/* --- VBE -------------------------------------------------------------------------------------- */

/*
 * A boot sector that sets 640x480x256 through the DISPI ports, enters protected mode and V86 (IOPL
 * 0, ports open in the task's bitmap), switches VBE off there, writes a letter to B8000 and leaves
 * through port 501h.
 */
static const uint8_t v86_sector[] = {
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xbe, 0xab, 0x7c, 0xad,
    0x83, 0xf8, 0xff, 0x74, 0x09, 0xba, 0xce, 0x01, 0xef, 0x42, 0xad, 0xef, 0xeb, 0xf1, 0x0f, 0x01,
    0x16, 0xa5, 0x7c, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0xea, 0x30, 0x7c, 0x08, 0x00,
    0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0x00, 0x00, 0xbf,
    0x00, 0x50, 0x00, 0x00, 0x31, 0xc0, 0xb9, 0x80, 0x08, 0x00, 0x00, 0xf3, 0xab, 0xc7, 0x05, 0x04,
    0x50, 0x00, 0x00, 0x00, 0x6f, 0x00, 0x00, 0x66, 0xc7, 0x05, 0x08, 0x50, 0x00, 0x00, 0x10, 0x00,
    0x66, 0xc7, 0x05, 0x66, 0x50, 0x00, 0x00, 0x68, 0x00, 0x66, 0xb8, 0x18, 0x00, 0x0f, 0x00, 0xd8,
    0x31, 0xc0, 0x50, 0x50, 0x50, 0x50, 0x50, 0x68, 0x00, 0x40, 0x00, 0x00, 0x68, 0x02, 0x00, 0x02,
    0x00, 0x50, 0x68, 0x88, 0x7c, 0x00, 0x00, 0xcf, 0xba, 0xce, 0x01, 0xb8, 0x04, 0x00, 0xef, 0x42,
    0x31, 0xc0, 0xef, 0xb8, 0x00, 0xb8, 0x8e, 0xc0, 0x26, 0xc7, 0x06, 0x00, 0x00, 0x56, 0x07, 0xba,
    0x01, 0x05, 0xee, 0xeb, 0xfe, 0x1f, 0x00, 0xc8, 0x7c, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x01,
    0x00, 0x80, 0x02, 0x02, 0x00, 0xe0, 0x01, 0x03, 0x00, 0x08, 0x00, 0x04, 0x00, 0x41, 0x00, 0xff,
    0xff, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00,
    0x67, 0x20, 0x00, 0x50, 0x00, 0x89, 0x00, 0x00};

START_TEST(vbe_off_from_v86)
{
    uint8_t image[4096] = {0};
    struct err e = {{0}};

    memcpy(image, v86_sector, sizeof v86_sector);
    put16(image + 510, 0xaa55);
    struct oxbow *m = boot(block_open_mem(image, sizeof image, true, &e));
    struct text_screen t;
    oxbow_text(m, &t);
    ck_assert_uint_eq(t.cols, 80);
    ck_assert_uint_eq(t.rows, 25);
    ck_assert_uint_eq(t.ch[0], 'V');
    const struct surface *s = oxbow_surface(m);
    ck_assert_uint_eq(s->w, 720);
    ck_assert_uint_eq(s->h, 400);
    oxbow_free(m);
}
END_TEST

/* --- keyboard --------------------------------------------------------------------------------- */

static uint8_t answer(struct oxbow *m)
{
    for (unsigned k = 0; k < 100 && !(inb(m, 0x64) & 1); k++) {
        wait_ms(m, 1);
    }
    ck_assert_uint_eq(inb(m, 0x64) & 1, 1);
    return inb(m, 0x60);
}

static void keyboard(struct oxbow *m, unsigned v)
{
    outb(m, 0x60, v);
    ck_assert_uint_eq(answer(m), 0xfa);
}

static void controller(struct oxbow *m, unsigned command, unsigned v)
{
    outb(m, 0x64, command);
    wait_ms(m, 1);
    outb(m, 0x60, v);
    wait_ms(m, 1);
}

/* What arrives for the A key. */
static void press(struct oxbow *m, uint8_t *code, unsigned n)
{
    oxbow_key(m, 0x1e, true, 0);
    oxbow_key(m, 0x1e, false, 0);
    for (unsigned k = 0; k < n; k++) {
        code[k] = answer(m);
    }
    wait_ms(m, 20);
    ck_assert_uint_eq(inb(m, 0x64) & 1, 0);
}

START_TEST(scan_sets)
{
    static const struct {
        uint8_t set, raw[3], raw_bytes, translated[2];
    } row[] = {
        {1, {0x1e, 0x9e}, 2, {0, 0}}, {2, {0x1c, 0xf0, 0x1c}, 3, {0x1e, 0x9e}},
    };
    struct oxbow *m = idle_board();
    uint8_t code[3];

    outb(m, 0x64, 0xaa);
    ck_assert_uint_eq(answer(m), 0x55);
    outb(m, 0x60, 0xff);
    ck_assert_uint_eq(answer(m), 0xfa);
    wait_ms(m, 900);
    ck_assert_uint_eq(answer(m), 0xaa);
    for (unsigned k = 0; k < ARRAY_LEN(row); k++) {
        controller(m, 0x60, 0x00); /* no translation, no interrupts */
        keyboard(m, 0xf0);
        keyboard(m, row[k].set);
        keyboard(m, 0xf0);
        keyboard(m, 0);
        ck_assert_uint_eq(answer(m), row[k].set);
        press(m, code, row[k].raw_bytes);
        ck_assert_int_eq(memcmp(code, row[k].raw, row[k].raw_bytes), 0);
        if (row[k].translated[0]) {
            controller(m, 0x60, 0x40);
            press(m, code, 2);
            ck_assert_int_eq(memcmp(code, row[k].translated, 2), 0);
            /* The answer to "which set" goes through the translation, too. */
            keyboard(m, 0xf0);
            keyboard(m, 0);
            ck_assert_uint_eq(answer(m), 0x41);
        }
    }
    controller(m, 0x60, 0x00);
    keyboard(m, 0xf0);
    keyboard(m, 3);
    keyboard(m, 0xf8); /* make and break */
    press(m, code, 3);
    ck_assert_int_eq(memcmp(code, "\x1c\xf0\x1c", 3), 0);
    oxbow_free(m);
}
END_TEST

/* --- timer, clock, CMOS ----------------------------------------------------------------------- */

static unsigned counter0(struct oxbow *m)
{
    outb(m, 0x43, 0x00);
    unsigned low = inb(m, 0x40);
    return low | (unsigned)inb(m, 0x40) << 8;
}

/* Zero stands for 65536, and for 10000 in BCD. */
START_TEST(pit_count_zero)
{
    struct oxbow *m = idle_board();

    outb(m, 0x43, 0x34);
    outb(m, 0x40, 0);
    outb(m, 0x40, 0);
    wait_ms(m, 10); /* 11932 ticks */
    unsigned v = counter0(m);
    ck_assert_uint_ge(v, 65536 - 11940);
    ck_assert_uint_le(v, 65536 - 11925);
    wait_ms(m, 55); /* once round: 54.925 ms */
    unsigned again = counter0(m);
    ck_assert_uint_ge(v, again);
    ck_assert_uint_le(v - again, 100);
    outb(m, 0x43, 0x35);
    outb(m, 0x40, 0);
    outb(m, 0x40, 0);
    wait_ms(m, 4); /* 4773 ticks of 10000 */
    v = counter0(m);
    for (unsigned k = 0; k < 16; k += 4) {
        ck_assert_uint_le(v >> k & 15, 9);
    }
    ck_assert_uint_ge(v, 0x5220);
    ck_assert_uint_le(v, 0x5235);
    oxbow_free(m);
}
END_TEST

static uint8_t cmos(struct oxbow *m, unsigned index)
{
    outb(m, 0x70, index);
    return inb(m, 0x71);
}

static void set_cmos(struct oxbow *m, unsigned index, unsigned v)
{
    outb(m, 0x70, index);
    outb(m, 0x71, v);
}

/*
 * Over the end of the century in each format; 12-hour hours have PM in bit 7, and midnight is 12.
 */
START_TEST(clock_formats)
{
    static const struct {
        uint8_t format, before, after, seconds, year;
    } row[] = {
        {0x02, 0x23, 0x00, 0x59, 0x99}, {0x00, 0x91, 0x12, 0x59, 0x99},
        {0x06, 23, 0, 59, 99},          {0x04, 0x8b, 12, 59, 99},
    };
    for (unsigned k = 0; k < ARRAY_LEN(row); k++) {
        struct oxbow *m = idle_board();
        bool binary = row[k].format & 4;
        set_cmos(m, 0x0b, 0x80 | row[k].format);
        set_cmos(m, 0x00, row[k].seconds);
        set_cmos(m, 0x02, row[k].seconds);
        set_cmos(m, 0x04, row[k].before);
        set_cmos(m, 0x07, binary ? 31 : 0x31);
        set_cmos(m, 0x08, binary ? 12 : 0x12);
        set_cmos(m, 0x09, row[k].year);
        set_cmos(m, 0x0b, row[k].format);
        ck_assert_uint_eq(cmos(m, 0x04), row[k].before);
        wait_ms(m, 1600);
        ck_assert_uint_eq(cmos(m, 0x04), row[k].after);
        ck_assert_uint_eq(cmos(m, 0x02), 0);
        ck_assert_uint_eq(cmos(m, 0x07), 1);
        ck_assert_uint_eq(cmos(m, 0x08), 1);
        ck_assert_uint_eq(cmos(m, 0x09), 0);
        oxbow_free(m);
    }
}
END_TEST

START_TEST(cmos_checksum)
{
    struct oxbow *m = idle_board();
    unsigned sum = 0;

    for (unsigned k = 0x10; k < 0x2e; k++) {
        sum += cmos(m, k);
    }
    ck_assert_uint_eq(cmos(m, 0x2e), sum >> 8);
    ck_assert_uint_eq(cmos(m, 0x2f), sum & 0xff);
    ck_assert_uint_ne(sum, 0);
    oxbow_free(m);
}
END_TEST

/* --- large disks ------------------------------------------------------------------------------ */

/*
 * Asks INT 13h function 8 (results to 8000h), reads a sector by function 2 (to 9000h) and one by
 * function 42h (to 9200h), asks function 48h (to 9400h), and leaves through port 501h.
 */
static const uint8_t int13_sector[] = {
    0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xb4, 0x08, 0xb2, 0x80, 0xcd,
    0x13, 0x89, 0x0e, 0x00, 0x80, 0x89, 0x16, 0x02, 0x80, 0x31, 0xc0, 0x8e, 0xc0, 0xb8, 0x01, 0x02,
    0xbb, 0x00, 0x90, 0x8b, 0x0e, 0x54, 0x7c, 0x8b, 0x16, 0x56, 0x7c, 0xcd, 0x13, 0xa3, 0x04, 0x80,
    0xb4, 0x42, 0xb2, 0x80, 0xbe, 0x58, 0x7c, 0xcd, 0x13, 0xa3, 0x06, 0x80, 0xc7, 0x06, 0x00, 0x94,
    0x1e, 0x00, 0xb4, 0x48, 0xb2, 0x80, 0xbe, 0x00, 0x94, 0xcd, 0x13, 0xa3, 0x08, 0x80, 0xba, 0x01,
    0x05, 0xee, 0xeb, 0xfe, 0x11, 0x11, 0x22, 0x22, 0x10, 0x00, 0x01, 0x00, 0x00, 0x92, 0x00, 0x00,
    0x33, 0x33, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
enum { AT_CHS = 0x54, AT_LBA = 0x60 };

/* A sparse image file; the sectors `lba` hold their own numbers. */
static struct block *large_disk(uint64_t sectors, const uint8_t *boot_sector, const uint64_t *lba,
                                unsigned n)
{
    char path[] = "traps-XXXXXX";
    struct err e = {{0}};
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)(sectors * 512)), 0);
    ck_assert_int_eq(pwrite(fd, boot_sector, 512, 0), 512);
    while (n--) {
        uint8_t number[8];
        put64(number, lba[n]);
        ck_assert_int_eq(pwrite(fd, number, 8, (off_t)(lba[n] * 512)), 8);
    }
    close(fd);
    struct block *b = block_open_file(path, true, &e);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

/* A disk is shown with `heads`; the last cylinder it shows, and its last sector, can be read. */
static void check_disk(uint64_t sectors, unsigned heads)
{
    uint8_t image[512] = {0};
    uint64_t cylinders = MIN(sectors / (heads * 63u), (uint64_t)1024), mark[2];
    unsigned c = (unsigned)cylinders - 2, h = heads - 1, s = 63;

    mark[0] = ((uint64_t)c * heads + h) * 63 + s - 1;
    mark[1] = sectors - 1;
    memcpy(image, int13_sector, sizeof int13_sector);
    put16(image + AT_CHS, (uint16_t)((c & 0xff) << 8 | (c >> 2 & 0xc0) | s));
    put16(image + AT_CHS + 2, (uint16_t)(h << 8 | 0x80));
    put64(image + AT_LBA, mark[1]);
    put16(image + 510, 0xaa55);
    struct oxbow *m = boot(large_disk(sectors, image, mark, 2));
    const uint8_t *ram = m->ram;
    ck_assert_uint_eq(ram[0x8003], h); /* DH: the last head */
    ck_assert_uint_eq(ram[0x8000] & 63, 63);
    unsigned last = ram[0x8001] | (ram[0x8000] & 0xc0u) << 2;
    ck_assert_uint_ge(last, c);
    ck_assert_uint_le(last, c + 1);
    ck_assert_uint_eq(ram[0x8005], 0);
    ck_assert_uint_eq(get64(ram + 0x9000), mark[0]);
    ck_assert_uint_eq(ram[0x8007], 0);
    ck_assert_uint_eq(get64(ram + 0x9200), mark[1]);
    ck_assert_uint_eq(ram[0x8009], 0);
    ck_assert_uint_eq(get64(ram + 0x9400 + 16), sectors);
    oxbow_free(m);
}

START_TEST(disks_past_the_limits)
{
    check_disk(1024 * 16 * 63 - 1008, 16);      /* the last size of the plain interface: 504 MB */
    check_disk(1100000, 32);                    /* 537 MB */
    check_disk(4400000, 128);                   /* past 2 GB */
    check_disk(16515072 + 4000000, 255);        /* past 8.4 GB */
    check_disk(((uint64_t)1 << 28) + 5000, 255); /* past the 28 bits of ATA-5: 137 GB */
}
END_TEST

FIX_SUITE("traps", ide_registers_are_shared, floppy_change_line, vbe_off_from_v86, scan_sets,
          pit_count_zero, clock_formats, cmos_checksum, disks_past_the_limits)
