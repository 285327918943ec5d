/*
 * Test scripts: words and quoting, checks before the first line runs, names of keys, captured text,
 * and runs of the built-in demo with each kind of result.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gui/capture.h"
#include "gui/cp437.h"
#include "gui/keynames.h"
#include "gui/script.h"
#include "gui/scriptpic.h"
#include "tests/suite.h"

static struct script s;
static struct err e;

static void good(const char *text)
{
    ck_assert_msg(script_parse(&s, text, NULL, &e), "%s", e.text);
}

/* Refused with a message that holds `part`. */
static void bad(const char *text, const char *part)
{
    ck_assert_msg(!script_parse(&s, text, NULL, &e), "accepted: %s", text);
    ck_assert_msg(strstr(e.text, part) != NULL, "%s: %s", text, e.text);
}

START_TEST(words)
{
    good("# comment\n\n  boot -m 16 # more\r\n\ttype \"a b\\n\\x41\\\\\\\"\" \n"
         "wait serial x\"y z\"'\\n'\n"
         "type \"\"\nprint '#'");
    ck_assert_uint_eq(s.count, 5);
    ck_assert_str_eq(s.lines[0].verb->name, "boot");
    ck_assert_uint_eq(s.lines[0].number, 3);
    ck_assert_int_eq(s.lines[0].argc, 2);
    ck_assert_str_eq(s.lines[0].argv[1], "16");
    ck_assert_uint_eq(s.lines[1].number, 4);
    ck_assert_str_eq(s.lines[1].argv[0], "a b\nA\\\"");
    ck_assert_str_eq(s.lines[2].argv[1], "xy z\\n");
    ck_assert_str_eq(s.lines[3].argv[0], "");
    ck_assert_str_eq(s.lines[4].argv[0], "#");
    script_free(&s);
}
END_TEST

START_TEST(mistakes)
{
    bad("", "no boot line");
    bad("# nothing\n", "no boot line");
    bad("sleep 1\nboot\n", "line 1: sleep");
    bad("boot\nfrob\n", "line 2: frob");
    bad("boot\nwait serial\n", "missing");
    bad("boot\nwait screen a b\n", "too many");
    bad("boot\nwait printer x\n", "printer");
    bad("boot\ntype \"abc\n", "closing");
    bad("boot\ntype \"\\q\"\n", "escape");
    bad("boot\ntype \"\\x4\"\n", "escape");
    bad("boot\ntype \"\\x00\"\n", "escape");
    bad("boot\nkey ctrl-alt-dle\n", "key");
    bad("boot\nkey\n", "missing");
    bad("boot\nsleep 1s\n", "seconds");
    bad("boot\nmouse 1 x\n", "number");
    bad("boot\npoint 1\n", "missing");
    bad("boot\nlink 1 perhaps\n", "on or off");
    bad("boot\nexpect exit\n", "missing");
    bad("boot\nexpect exit 300\n", "300");
    bad("boot\nexpect poweroff now\n", "nothing");
    bad("boot\nexpect rain\n", "rain");
    bad("boot\nmedia hde x\n", "hde");
    bad("boot\nsend screen x\n", "screen");
    bad("boot -m 0\n", "-m 0");
    bad("boot -display sdl\n", "sdl");
    bad("boot --help\n", "boot");
    bad("boot\nscreenshot \"\"\n", "empty");
    bad("boot\nwait picture 1234567\n", "eight");
    bad("boot\nexpect picture 0123456x\n", "eight");
    bad("boot\nwait size 640\n", "640x480");
    bad("boot\nexpect size 0x480\n", "640x480");
    bad("boot\nwait still soon\n", "seconds");
    bad("boot\nexpect still 1\n", "still");
    bad("boot\nwait changed\n", "missing");
    bad("boot\nshow size\n", "picture");
    bad("boot\nkeep a 1 2 3\n", "X Y W H");
    bad("boot\nkeep a 1 2 3 x\n", "number");
}
END_TEST

START_TEST(seconds)
{
    uint64_t us;

    ck_assert(script_seconds("1.25", &us) && us == 1250000);
    ck_assert(script_seconds("60", &us) && us == 60000000);
    ck_assert(script_seconds(".000001", &us) && us == 1);
    ck_assert(script_seconds("0.00000019", &us) && us == 0);
    ck_assert(!script_seconds("", &us) && !script_seconds(".", &us));
    ck_assert(!script_seconds("1.2.3", &us) && !script_seconds("-1", &us));
    ck_assert(!script_seconds("99999999999999999999", &us));
}
END_TEST

START_TEST(key_names)
{
    unsigned codes[KEYNAMES_MAX];

    ck_assert_uint_eq(keynames_chord("ctrl-alt-delete", codes), 3);
    ck_assert_uint_eq(codes[0], 0x1d);
    ck_assert_uint_eq(codes[1], 0x38);
    ck_assert_uint_eq(codes[2], 0x153);
    ck_assert_uint_eq(keynames_chord("pause", codes), 1);
    ck_assert_uint_eq(codes[0], 0x200);
    ck_assert_uint_eq(keynames_chord("a-", codes), 0);
    ck_assert_uint_eq(keynames_chord("", codes), 0);
    ck_assert_uint_eq(keynames_chord("a-b-c-d-e-f-g-h-i", codes), 0);
}
END_TEST

static void add(struct capture *c, const char *text)
{
    capture_add(c, (const uint8_t *)text, strlen(text));
}

START_TEST(captured_text)
{
    struct capture c = {0};

    ck_assert(!capture_find(&c, "x") && !capture_has(&c, "x"));
    add(&c, "login: lo");
    ck_assert(capture_find(&c, "login:"));
    ck_assert(!capture_find(&c, "login:"));
    add(&c, "gin:");
    ck_assert(capture_find(&c, "login:"));
    ck_assert(capture_has(&c, "login: login:"));
    capture_add(&c, (const uint8_t *)"a\0b", 3);
    ck_assert(capture_find(&c, "ab"));
    /* However much a guest sends, about a million characters are kept. */
    for (unsigned n = 0; n < 300000; n++) {
        add(&c, "0123456789");
    }
    ck_assert_uint_le(c.room, 1u << 20);
    add(&c, "the end");
    ck_assert(capture_find(&c, "the end"));
    capture_free(&c);
}
END_TEST

START_TEST(screen_text)
{
    static struct text_screen t = {.cols = 6, .rows = 2};
    char row[64];

    memcpy(t.ch, "A\xc9\xe1 \0 \1     ", 12);
    ck_assert_uint_eq(cp437_row(&t, 0, row, sizeof row), 6);
    ck_assert_str_eq(row, "A\u2554\u00df");
    cp437_row(&t, 1, row, sizeof row);
    ck_assert_str_eq(row, "\u263a");
    ck_assert_uint_le(cp437_row(&t, 0, row, 5), 4);
}
END_TEST

static enum script_result run(const char *text)
{
    enum script_result result;

    good(text);
    result = script_run(&s, "t_script", NULL);
    script_free(&s);
    return result;
}

#define READY "timeout 20\nboot -m 16\nwait serial OXBOW-DEMO-READY\n"
/* The machine is off before all keys are pressed. */
#define OFF "type \"\\e                                        \"\n"

START_TEST(demo_passes)
{
    ck_assert_int_eq(run(READY "expect screen \"protected mode\"\nexpect serial DEMO\nhash a\n"
                               "sleep 0.1\nhash b\n" READY "hash a\nsleep 0.1\nhash b\n"
                               "key esc\nexpect poweroff\n"),
                     SCRIPT_PASSED);
}
END_TEST

START_TEST(demo_state)
{
    ck_assert_int_eq(run(READY "savestate t_script.state\nsleep 0.3\nhash a\n"
                               "loadstate t_script.state\nsleep 0.3\nhash a\n"
                               "screenshot t_script.png\n"),
                     SCRIPT_PASSED);
    ck_assert_int_eq(run("boot -m 32 -loadstate t_script.state\n"), SCRIPT_BAD);
    remove("t_script.state");
    ck_assert_int_eq(remove("t_script.png"), 0);
    ck_assert_int_eq(run("boot\nloadstate t_script.state\n"), SCRIPT_BAD);
}
END_TEST

START_TEST(demo_fails)
{
    ck_assert_int_eq(run(READY "expect screen \"no such text\"\n"), SCRIPT_FAILED);
    ck_assert_int_eq(run("boot -m 16\nsleep 0.1\nhash a\nsleep 0.1\nhash a\n"), SCRIPT_FAILED);
    ck_assert_int_eq(run(READY "key esc\nexpect exit 7\n"), SCRIPT_FAILED);
    ck_assert_int_eq(run(READY "key esc\nsleep 5\n"), SCRIPT_FAILED);
    ck_assert_int_eq(run("timeout 0.5\nboot -m 16\nwait serial never\n"), SCRIPT_TIMEOUT);
    ck_assert_int_eq(run("boot -hda no-such-file.img\n"), SCRIPT_BAD);
    ck_assert_int_eq(run("boot\nmedia hda none\n"), SCRIPT_BAD);
    ck_assert_int_eq(run("boot -device ne2k_pci,link=off\nlink 1 on\nlink 1 off\nsleep 0.01\n"),
                     SCRIPT_PASSED);
    ck_assert_int_eq(run("boot\nlink 1 on\n"), SCRIPT_BAD);
    ck_assert_int_eq(run("boot\nsleep 1\npoint 1 1\n"), SCRIPT_FAILED); /* no driver */
    ck_assert_int_eq(run("boot\nsleep 1\npoint 5000 1\n"), SCRIPT_FAILED);
}
END_TEST

/* The demo's text screen stands still but for its clock; its show is shown as 640x400 and moves. */
START_TEST(demo_picture)
{
    ck_assert_int_eq(run(READY "expect size 720x400\nkeep corner 0 0 9 16\nexpect same corner\n"
                               "keep all\nexpect same all\nkey 1\nwait changed corner\n"
                               "expect changed all\nwait size 640x400\n"
                               "keep all\nwait changed all\n"
                               READY "wait still 0.2\nkeep all\nexpect same all\n"),
                     SCRIPT_PASSED);
    ck_assert_int_eq(run(READY OFF "expect poweroff\n"), SCRIPT_PASSED);
    ck_assert_int_eq(run(READY "key esc spc\nexpect poweroff\n"), SCRIPT_PASSED);
    ck_assert_int_eq(run(READY OFF "sleep 1\n"), SCRIPT_FAILED);
    ck_assert_int_eq(run(READY "expect picture 00000000\n"), SCRIPT_FAILED);
    ck_assert_int_eq(run(READY "expect size 640x400\n"), SCRIPT_FAILED);
    ck_assert_int_eq(run(READY "keep a 712 0 9 16\n"), SCRIPT_FAILED);
    ck_assert_int_eq(run(READY "keep a\nexpect changed a\n"), SCRIPT_FAILED);
    ck_assert_int_eq(run(READY "expect same a\n"), SCRIPT_BAD);
    ck_assert_int_eq(run("boot -vga none\nwait still 1\n"), SCRIPT_BAD);
    ck_assert_int_eq(run(READY "timeout 0.5\nwait size 640x400\n"), SCRIPT_TIMEOUT);
}
END_TEST

/* The sum is zlib's CRC-32 of red, green, blue of each pixel, whatever lies behind the lines. */
START_TEST(picture_sum)
{
    uint32_t px[8] = {0x010203, 0x040506, 0xffffff, 0xffffff, 0xff070809, 0x0a0b0c, 1, 2};
    struct surface pic = {.px = px, .w = 2, .h = 2, .stride = 4};

    ck_assert_uint_eq(scriptpic_sum(&pic), 0x925fc655);
    ck_assert_uint_eq(scriptpic_sum(NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("script");
    TCase *parse = tcase_create("parse"), *runs = tcase_create("run");

    tcase_add_test(parse, words);
    tcase_add_test(parse, mistakes);
    tcase_add_test(parse, seconds);
    tcase_add_test(parse, key_names);
    tcase_add_test(parse, captured_text);
    tcase_add_test(parse, screen_text);
    tcase_add_test(parse, picture_sum);
    suite_add_tcase(suite, parse);
    tcase_set_timeout(runs, 60);
    tcase_add_test(runs, demo_passes);
    tcase_add_test(runs, demo_state);
    tcase_add_test(runs, demo_fails);
    tcase_add_test(runs, demo_picture);
    suite_add_tcase(suite, runs);
    return suite_run(suite);
}
