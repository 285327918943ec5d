/*
 * The command line: QEMU's words in all their forms, what is refused and how, drives and their
 * places, ini files, images told apart by their contents.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gui/image.h"
#include "gui/inifile.h"
#include "gui/options.h"
#include "gui/optvalue.h"
#include "tests/suite.h"

#define MAX_WORDS 24

static struct options o;
static struct err e;

static void setup(void)
{
    options_init(&o);
    e.text[0] = 0;
}

static void teardown(void)
{
    options_free(&o);
}

/* Parses words separated by blanks. */
static bool parse_in(const char *line, const char *dir)
{
    char text[512], *argv[MAX_WORDS];
    int argc = 0;

    snprintf(text, sizeof text, "%s", line);
    for (char *w = strtok(text, " "); w; w = strtok(NULL, " ")) {
        argv[argc++] = w;
    }
    return options_parse(&o, argc, argv, dir, &e);
}

static bool parse(const char *line)
{
    return parse_in(line, NULL);
}

static void good(const char *line)
{
    ck_assert_msg(parse(line) && options_check(&o, &e), "%s: %s", line, e.text);
}

/* Refused with one sentence that holds `part`. */
static void bad(const char *line, const char *part)
{
    teardown();
    setup();
    ck_assert_msg(!(parse(line) && options_check(&o, &e)), "%s was accepted", line);
    ck_assert_msg(strstr(e.text, part) != NULL, "%s: %s", line, e.text);
    ck_assert_ptr_null(strchr(e.text, '\n'));
}

START_TEST(defaults)
{
    good("");
    ck_assert_uint_eq(o.ram_mb, 64);
    ck_assert_int_eq(o.action, ACTION_RUN);
    ck_assert_int_eq(o.display, DISPLAY_AUTO);
    ck_assert_ptr_null(o.image);
    ck_assert_ptr_null(o.cpu);
}
END_TEST

START_TEST(dashes_and_equals)
{
    good("-m 256 --cpu pentium3 --name=box -boot=d -snapshot --no-reboot");
    ck_assert_uint_eq(o.ram_mb, 256);
    ck_assert_str_eq(o.cpu, "pentium3");
    ck_assert_str_eq(o.name, "box");
    ck_assert_str_eq(o.boot, "d");
    ck_assert(o.snapshot && o.no_reboot && !o.no_shutdown);
}
END_TEST

START_TEST(memory_sizes)
{
    static const struct {
        const char *line;
        unsigned mb;
    } rows[] = {{"-m 16", 16},        {"-m 1G", 1024},        {"-m 2g", 2048},
                {"-m 65536K", 64},    {"-m size=32M", 32},    {"-m 3072", 3072},
                {"-m size=128", 128}, {"-m 1048576K", 1024}};

    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        good(rows[n].line);
        ck_assert_uint_eq(o.ram_mb, rows[n].mb);
    }
    bad("-m 0", "1 to 3072");
    bad("-m 4096", "1 to 3072");
    bad("-m 100K", "1 to 3072");
    bad("-m 99999999999999999999", "not a size");
    bad("-m x", "not a size");
    bad("-m 12,slots=2", "-m 12");
    bad("-m", "the value is missing");
}
END_TEST

START_TEST(actions)
{
    good("--help");
    ck_assert_int_eq(o.action, ACTION_HELP);
    good("-h");
    ck_assert_int_eq(o.action, ACTION_HELP);
    good("-version");
    ck_assert_int_eq(o.action, ACTION_VERSION);
    good("-cpu help");
    ck_assert_int_eq(o.action, ACTION_CPU_HELP);
}
END_TEST

START_TEST(drives)
{
    good("-fda a.img -hda c.img -cdrom d.iso -drive file=e.img,index=1,snapshot=on,format=raw "
         "-drive file=f,,g.img,if=floppy,readonly=on -drive media=cdrom,index=3");
    ck_assert_str_eq(o.floppy[0].file, "a.img");
    ck_assert_str_eq(o.floppy[1].file, "f,g.img");
    ck_assert(o.floppy[1].read_only);
    ck_assert_str_eq(o.ide[0].file, "c.img");
    ck_assert_str_eq(o.ide[1].file, "e.img");
    ck_assert(o.ide[1].snapshot && o.ide[1].raw && !o.ide[1].cd);
    ck_assert_str_eq(o.ide[2].file, "d.iso");
    ck_assert(o.ide[2].cd);
    ck_assert(o.ide[3].cd && !o.ide[3].file && o.ide[3].option);
}
END_TEST

START_TEST(drive_places)
{
    good("-drive file=a -drive file=b -drive file=c,if=ide,bus=1,unit=1");
    ck_assert_str_eq(o.ide[0].file, "a");
    ck_assert_str_eq(o.ide[1].file, "b");
    ck_assert_str_eq(o.ide[3].file, "c");
    bad("-hdc a -cdrom b", "IDE drive 2");
    bad("-drive file=a,index=4", "no such place");
    bad("-drive file=a,if=floppy,index=2", "no such place");
    bad("-drive file=a,index=99999999999", "no such place");
    bad("-drive file=a,unit=2", "no such place");
    bad("-drive file=a,bus=0,index=1", "index=");
    bad("-drive index=0", "file=");
    bad("-drive a.img", "KEY=VALUE");
    bad("-drive file=a,if=virtio", "if=virtio");
    bad("-drive file=a,format=qcow2", "format=qcow2");
    bad("-drive file=a,cache=none", "cache=");
    bad("-drive file=a,snapshot=maybe", "snapshot=maybe");
    bad("-drive file=a,if=floppy,media=cdrom", "floppy");
}
END_TEST

START_TEST(boot_and_date)
{
    good("-boot order=dac -rtc base=2024-02-29T23:59:58");
    ck_assert_str_eq(o.boot, "dac");
    ck_assert_int_eq(o.rtc_base, RTC_DATE);
    ck_assert_int_eq(o.rtc.year, 2024);
    ck_assert_int_eq(o.rtc.day, 29);
    ck_assert_int_eq(o.rtc.second, 58);
    good("-boot c,menu=off -rtc base=localtime,clock=vm");
    ck_assert_str_eq(o.boot, "c");
    ck_assert_int_eq(o.rtc_base, RTC_LOCALTIME);
    bad("-boot once=d", "once");
    good("-boot c,menu=on");
    ck_assert(o.boot_menu && !o.hpet);
    good("-machine pc,hpet=on -M hpet=on");
    ck_assert(o.hpet && !o.no_vmport);
    good("-machine vmport=off");
    ck_assert(o.no_vmport);
    bad("-machine vmport=maybe", "vmport=on|off");
    bad("-machine q35", "q35");
    bad("-machine pc,usb=on", "usb=");
    bad("-boot menu=often", "menu");
    bad("-boot e", "-boot e");
    bad("-boot acdn", "-boot acdn");
    bad("-rtc base=2023-02-29", "2023-02-29");
    bad("-rtc base=1979-01-01", "1979");
    bad("-rtc base=2000-01-01T24:00:00", "24:00");
    bad("-rtc base=2000-01-01x", "01x");
    bad("-rtc driftfix=slew", "driftfix");
}
END_TEST

START_TEST(ports)
{
    good("-serial stdio -serial file:log.txt -serial null -serial pty -parallel file:p "
         "-debugcon stdio");
    ck_assert_uint_eq(o.serials, 4);
    ck_assert_int_eq(o.serial[0].kind, TARGET_STDIO);
    ck_assert_int_eq(o.serial[1].kind, TARGET_FILE);
    ck_assert_str_eq(o.serial[1].path, "log.txt");
    ck_assert_int_eq(o.serial[3].kind, TARGET_PTY);
    ck_assert_int_eq(o.parallel.kind, TARGET_FILE);
    ck_assert_int_eq(o.debugcon.kind, TARGET_STDIO);
    bad("-serial null -serial null -serial null -serial null -serial null", "at most four");
    bad("-serial stdio -serial stdio", "only one");
    bad("-serial tcp::4444,server", "tcp:");
    bad("-serial mon:stdio", "monitor");
    bad("-serial file:", "names no file");
    bad("-parallel pty", "-parallel pty");
}
END_TEST

START_TEST(debug_exit)
{
    good("-device isa-debug-exit");
    ck_assert(o.debug_exit);
    ck_assert_uint_eq(o.debug_exit_port, 0);
    good("-device isa-debug-exit,iobase=0xf4,iosize=0x04");
    ck_assert_uint_eq(o.debug_exit_port, 0xf4);
    ck_assert_uint_eq(o.debug_exit_size, 4);
    bad("-device e1000", "e1000");
    bad("-device isa-debug-exit,iobase=0x10000", "iobase=0x10000");
    bad("-device isa-debug-exit,irq=3", "irq");
}
END_TEST

START_TEST(sound)
{
    good("-device sb16,iobase=0x240,irq=7,dma=3,dma16=6 -audio wav:out.wav,frequency=22050");
    ck_assert(o.sb16.on);
    ck_assert_uint_eq(o.sb16.port, 0x240);
    ck_assert_uint_eq(o.sb16.irq, 7);
    ck_assert_uint_eq(o.sb16.dma, 3);
    ck_assert_uint_eq(o.sb16.dma16, 6);
    ck_assert_int_eq(o.audio.kind, AUDIO_WAV);
    ck_assert_str_eq(o.audio.path, "out.wav");
    ck_assert_uint_eq(o.audio.rate, 22050);
    ck_assert(opt_audio_check(&o, &e));
    teardown();
    setup();
    good("-audiodev wav,id=a,path=x.wav -device adlib,audiodev=a");
    ck_assert(o.adlib && opt_audio_check(&o, &e));
    good("-device sb16");
    ck_assert(!opt_audio_check(&o, &e)); /* both have the FM ports */
    teardown();
    setup();
    good("-audio driver=sdl,model=sb16");
    ck_assert(o.sb16.on && o.audio.rate == 44100);
    ck_assert(!opt_audio_check(&o, &e)); /* without a window */
    good("-display sdl");
    ck_assert(opt_audio_check(&o, &e));
    bad("-audio wav", "name the file");
    bad("-audio oss", "oss");
    bad("-audio none -audio none", "one place");
    bad("-audio sdl,path=x", "path=x");
    bad("-audio wav:x,frequency=100", "frequency=100");
    bad("-audiodev sdl", "id=");
    bad("-device sb16,port=1", "port");
    bad("-device sb16,irq=x", "irq=x");
    bad("-device adlib,irq=1", "adlib,irq");
    bad("-device sb16 -device sb16", "one of them");
    bad("-soundhw sb16", "-device sb16");
}
END_TEST

START_TEST(numbers)
{
    good("-stop-at 400M -ips 2G");
    ck_assert(o.has_stop_at);
    ck_assert_uint_eq(o.stop_at, 400000000u);
    ck_assert_uint_eq(o.ips, 2000000000u);
    good("-stop-at 0");
    ck_assert_uint_eq(o.stop_at, 0);
    bad("-stop-at -5", "-stop-at");
    bad("-stop-at 1.5", "1.5");
    bad("-ips 0", "-ips 0");
}
END_TEST

START_TEST(refusals)
{
    bad("-smp 4", "one processor");
    bad("-enable-kvm", "-enable-kvm");
    bad("-net user", "-nic user");
    bad("-S", "-S");
    bad("-fw_cfg name=a,string=b", "-fw_cfg");
    bad("-seril stdio", "did you mean -serial");
    bad("--frobnicate", "--help");
    bad("-display gtk", "gtk");
    bad("-vga cirrus", "cirrus");
    bad("-append x", "-kernel");
    bad("-initrd x", "-kernel");
    bad("-nographic -display sdl", "contradict");
    bad("a.img b.img", "b.img");
    bad("-kernel k a.img", "a.img");
    bad("-hash=5", "takes no value");
    good("-smp 1 -monitor none -net none -nic none -audio none -machine pc");
}
END_TEST

START_TEST(paths)
{
    ck_assert(parse_in("-hda disk.img -fda /abs/f.img -serial file:s.txt cd.iso", "some/dir"));
    ck_assert_str_eq(o.ide[0].file, "some/dir/disk.img");
    ck_assert_str_eq(o.floppy[0].file, "/abs/f.img");
    ck_assert_str_eq(o.serial[0].path, "some/dir/s.txt");
    ck_assert_str_eq(o.image, "some/dir/cd.iso");
}
END_TEST

START_TEST(dashes_end)
{
    good("-- -odd.img");
    ck_assert_str_eq(o.image, "-odd.img");
}
END_TEST

/* --- files --------------------------------------------------------------------------------- */

static void write_file(const char *name, const void *data, size_t n)
{
    FILE *f = fopen(name, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    fclose(f);
}

static bool read_ini(const char *text)
{
    bool ok;

    teardown();
    setup();
    write_file("t_options.ini", text, strlen(text));
    ok = parse("t_options.ini");
    remove("t_options.ini");
    return ok;
}

START_TEST(ini_file)
{
    ck_assert_msg(read_ini("# a comment\n; another\n\nm = 128\n  hda=disk.img  \r\n"
                           "append = \"a b=c\"\nsnapshot\nno-reboot = on\nhash = off\n"
                           "serial = null\nserial = file:x"),
                  "%s", e.text);
    ck_assert_uint_eq(o.ram_mb, 128);
    ck_assert_str_eq(o.ide[0].file, "./disk.img");
    ck_assert_str_eq(o.append, "a b=c");
    ck_assert(o.snapshot && o.no_reboot && !o.hash);
    ck_assert_uint_eq(o.serials, 2);
    ck_assert(!read_ini("m = 64\nbogus = 1\n"));
    ck_assert_ptr_nonnull(strstr(e.text, "t_options.ini:2:"));
    ck_assert(!read_ini("[machine]\n"));
    ck_assert(!read_ini("readconfig = t_options.ini\n"));
    ck_assert(!read_ini("snapshot = perhaps\n"));
    ck_assert(!parse("no-such.ini"));
    ck_assert_ptr_nonnull(strstr(e.text, "no-such.ini"));
}
END_TEST

static uint8_t image[128 * 1024];

static struct image_info look(size_t n)
{
    struct image_info info;

    write_file("t_options.img", image, n);
    ck_assert_msg(image_look("t_options.img", &info, &e), "%s", e.text);
    return info;
}

static bool check(size_t n)
{
    write_file("t_options.img", image, n);
    return image_check("t_options.img", false, &e);
}

static void put_le(size_t at, uint32_t v)
{
    for (unsigned n = 0; n < 4; n++) {
        image[at + n] = (uint8_t)(v >> (8 * n));
    }
}

static void signature(void)
{
    image[510] = 0x55;
    image[511] = 0xaa;
}

START_TEST(image_kinds)
{
    memset(image, 0, sizeof image);
    ck_assert_int_eq(look(sizeof image).kind, IMAGE_UNKNOWN);
    signature();
    ck_assert_int_eq(look(512).kind, IMAGE_FLOPPY);
    memcpy(image + 0x202, "HdrS", 4);
    ck_assert_int_eq(look(4096).kind, IMAGE_KERNEL);
    memcpy(image + 32769, "CD001", 5);
    put_le(32768 + 80, 60);
    ck_assert_int_eq(look(sizeof image).kind, IMAGE_CD);
    ck_assert(check(60 * 2048));
    ck_assert(!check(60 * 2048 - 2048));
    ck_assert_ptr_nonnull(strstr(e.text, "truncated"));
    memset(image, 0, sizeof image);
    put_le(4096, 0x1badb002);
    put_le(4104, (uint32_t)-0x1badb002);
    ck_assert_int_eq(look(8192).kind, IMAGE_KERNEL);
    put_le(4104, 5);
    ck_assert_int_eq(look(8192).kind, IMAGE_UNKNOWN);
    /* A cue sheet is text and short. */
    static const char cue[] = "File \"a b.bin\" BINARY\n track 01 MODE1/2352\n index 01 0:0:0\n";
    memcpy(image, cue, sizeof cue);
    struct image_info info = look(sizeof cue - 1);
    ck_assert_int_eq(info.kind, IMAGE_CD);
    ck_assert_str_eq(info.detail, "cue sheet");
    ck_assert(image_is_cue("t_options.img") && check(sizeof cue - 1));
    ck_assert_int_ne(look(sizeof cue).kind, IMAGE_CD); /* a zero is no text */
    ck_assert(!image_is_cue("t_options.img"));
    ck_assert_int_ne(look(30).kind, IMAGE_CD);
    remove("t_options.img");
}
END_TEST

START_TEST(image_tables)
{
    memset(image, 0, sizeof image);
    signature();
    image[446] = 0x80;
    image[450] = 0x83;
    put_le(454, 10);
    put_le(458, 190);
    ck_assert_int_eq(look(200 * 512).kind, IMAGE_DISK);
    ck_assert(check(200 * 512));
    ck_assert(!check(199 * 512));
    image[450] = 0xee; /* a GPT may claim more */
    ck_assert(check(199 * 512));
    memset(image, 0, sizeof image);
    signature();
    image[0] = 0xeb;
    image[12] = 2; /* 512 bytes a sector */
    image[13] = 1;
    image[14] = 1;
    image[16] = 2;
    image[17] = 112;
    image[19] = 208; /* 720 sectors */
    image[20] = 2;
    image[21] = 0xfd;
    image[22] = 2;
    ck_assert_int_eq(look(200 * 512).kind, IMAGE_FLOPPY);
    ck_assert(!check(200 * 512));
    ck_assert(!check(700));
    ck_assert(check(512)); /* a boot program alone */
    remove("t_options.img");
}
END_TEST

START_TEST(image_formats)
{
    memset(image, 0, sizeof image);
    memcpy(image, "QFI\xfb", 4);
    ck_assert(!check(4096));
    ck_assert_ptr_nonnull(strstr(e.text, "QCOW2"));
    ck_assert(image_check("t_options.img", true, &e));
    ck_assert(!check(0));
    ck_assert_ptr_nonnull(strstr(e.text, "empty"));
    image[0] = 0;
    ck_assert(!check(100));
    ck_assert(!image_check(".", false, &e));
    remove("t_options.img");
    ck_assert(!image_check("t_options.img", false, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "no such file"));
    ck_assert_uint_eq(image_floppy_sectors(1), 2880);
    ck_assert_uint_eq(image_floppy_sectors(720), 720);
    ck_assert_uint_eq(image_floppy_sectors(1600), 1600);
    ck_assert_uint_eq(image_floppy_sectors(3444), 3444); /* 82 tracks */
    ck_assert_uint_eq(image_floppy_sectors(2881), 5760);
    ck_assert_uint_eq(image_floppy_sectors(5761), 0);
}
END_TEST

START_TEST(values)
{
    struct optpair p;
    const char *s = "a,b=c,,d,e=,=f";
    uint64_t v;
    bool on;

    ck_assert(optvalue_next(&s, &p));
    ck_assert_str_eq(p.key, "");
    ck_assert_str_eq(p.value, "a");
    ck_assert(optvalue_next(&s, &p));
    ck_assert_str_eq(p.key, "b");
    ck_assert_str_eq(p.value, "c,d");
    ck_assert(optvalue_next(&s, &p));
    ck_assert_str_eq(p.key, "e");
    ck_assert_str_eq(p.value, "");
    ck_assert(optvalue_next(&s, &p));
    ck_assert_str_eq(p.value, "f");
    ck_assert(!optvalue_next(&s, &p));
    ck_assert(optvalue_number("0x1F", &v) && v == 31);
    ck_assert(!optvalue_number("", &v) && !optvalue_number("1x", &v));
    ck_assert(!optvalue_number("-1", &v) && !optvalue_number("+1", &v));
    ck_assert(optvalue_scaled("3K", 1000, 1, &v) && v == 3000);
    ck_assert(optvalue_scaled("3MB", 1024, 1, &v) && v == 3 << 20);
    ck_assert(!optvalue_scaled("99999999T", 1024, 1, &v));
    ck_assert(optvalue_switch("yes", &on) && on);
    ck_assert(optvalue_switch("off", &on) && !on);
    ck_assert(!optvalue_switch("1", &on));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        defaults, dashes_and_equals, memory_sizes, actions, drives, drive_places, boot_and_date,
        ports, debug_exit, sound, numbers, refusals, paths, dashes_end, ini_file, image_kinds,
        image_tables, image_formats, values,
    };
    Suite *s = suite_create("options");
    TCase *t = tcase_create("options");

    tcase_add_checked_fixture(t, setup, teardown);
    for (unsigned n = 0; n < ARRAY_LEN(tests); n++) {
        tcase_add_test(t, tests[n]);
    }
    suite_add_tcase(s, t);
    return suite_run(s);
}
