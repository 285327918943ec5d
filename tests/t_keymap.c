/*
 * Key codes: samples of every group, no two keys with one code, nothing where a PC has no key.
 */
#include <check.h>
#include <stdlib.h>

#include "gui/keymap.h"
#include "tests/suite.h"

START_TEST(samples)
{
    static const struct {
        unsigned usage, key;
    } sample[] = {
        {0x04, 0x1e},  {0x1d, 0x2c},  {0x1e, 0x02},  {0x27, 0x0b},  {0x28, 0x1c},  {0x2c, 0x39},
        {0x38, 0x35},  {0x39, 0x3a},  {0x3a, 0x3b},  {0x45, 0x58},  {0x46, 0x137}, {0x47, 0x46},
        {0x48, 0x200}, {0x49, 0x152}, {0x4f, 0x14d}, {0x52, 0x148}, {0x53, 0x45},  {0x54, 0x135},
        {0x58, 0x11c}, {0x59, 0x4f},  {0x63, 0x53},  {0x64, 0x56},  {0x65, 0x15d}, {0x73, 0x76},
        {0x87, 0x73},  {0x8b, 0x7b},  {0xe0, 0x1d},  {0xe4, 0x11d}, {0xe6, 0x138}, {0xe7, 0x15c},
    };
    unsigned i;

    for (i = 0; i < ARRAY_LEN(sample); i++) {
        ck_assert_uint_eq(keymap_from_usb(sample[i].usage), sample[i].key);
    }
}
END_TEST

START_TEST(no_code_twice)
{
    unsigned a, b;

    for (a = 0; a < 256; a++) {
        for (b = 0; b < a; b++) {
            /* 31h and 32h are one key, on US and on other keyboards. */
            if (keymap_from_usb(a) && !(a == 0x32 && b == 0x31)) {
                ck_assert_uint_ne(keymap_from_usb(a), keymap_from_usb(b));
            }
        }
    }
}
END_TEST

START_TEST(no_such_key)
{
    static const unsigned none[] = {0, 1, 3, 0x74, 0x84, 0x86, 0x8c, 0xdf, 0xe8, 0x100, 0xffffffff};
    unsigned i;

    for (i = 0; i < ARRAY_LEN(none); i++) {
        ck_assert_uint_eq(keymap_from_usb(none[i]), 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keymap");
    TCase *t = tcase_create("keymap");

    tcase_add_test(t, samples);
    tcase_add_test(t, no_code_twice);
    tcase_add_test(t, no_such_key);
    suite_add_tcase(s, t);
    return suite_run(s);
}
