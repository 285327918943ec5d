/*
 * mkfont: turns a font drawn in text (cp437-8xN.txt) into the bytes a character generator holds.
 *
 * Usage: mkfont HEIGHT INPUT.txt OUTPUT.bin
 * Runs on the build host only. The input has one block per character, "glyph HH name" followed by
 * HEIGHT rows of eight '#' or '.'; the output has HEIGHT bytes per character, leftmost dot in
 * bit 7.
 * All 256 characters must be there, in order, so that a forgotten or misplaced one is an error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GLYPHS = 256, MAX_HEIGHT = 32, LINE_MAX_CHARS = 256 };

struct reader {
    FILE *file;
    const char *name;
    unsigned line;
    char text[LINE_MAX_CHARS];
};

static int fail(const struct reader *in, const char *what)
{
    fprintf(stderr, "mkfont: %s:%u: %s\n", in->name, in->line, what);
    return 0;
}

/* Next line that is neither empty nor a comment; 0 at the end of the file. */
static int next_line(struct reader *in)
{
    while (fgets(in->text, sizeof in->text, in->file) != NULL) {
        in->line++;
        in->text[strcspn(in->text, "\r\n")] = '\0';
        if (in->text[0] != '\0' && in->text[0] != ';') {
            return 1;
        }
    }
    return 0;
}

static int read_row(struct reader *in, unsigned char *row)
{
    unsigned bits = 0;

    if (!next_line(in) || strlen(in->text) != 8) {
        return fail(in, "a row of eight dots expected");
    }
    for (int x = 0; x < 8; x++) {
        if (in->text[x] != '#' && in->text[x] != '.') {
            return fail(in, "a row holds only '#' and '.'");
        }
        bits = bits << 1 | (in->text[x] == '#');
    }
    *row = (unsigned char)bits;
    return 1;
}

static int read_font(struct reader *in, unsigned height, unsigned char *font)
{
    for (unsigned code = 0; code < GLYPHS; code++) {
        char *end;

        if (!next_line(in) || strncmp(in->text, "glyph ", 6) != 0) {
            return fail(in, "\"glyph HH name\" expected");
        }
        if (strtoul(in->text + 6, &end, 16) != code || end == in->text + 6) {
            return fail(in, "glyphs must come in order, 00 to FF");
        }
        for (unsigned y = 0; y < height; y++) {
            if (!read_row(in, font + code * height + y)) {
                return 0;
            }
        }
    }
    return next_line(in) ? fail(in, "text after the last glyph") : 1;
}

int main(int argc, char **argv)
{
    static unsigned char font[GLYPHS * MAX_HEIGHT];
    struct reader in = { 0 };
    unsigned height = argc == 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    FILE *out;
    int good;

    if (height < 1 || height > MAX_HEIGHT) {
        fprintf(stderr, "usage: mkfont HEIGHT INPUT.txt OUTPUT.bin\n");
        return 2;
    }
    in.name = argv[2];
    in.file = fopen(argv[2], "r");
    if (in.file == NULL) {
        perror(argv[2]);
        return 1;
    }
    good = read_font(&in, height, font);
    fclose(in.file);
    if (!good) {
        return 1;
    }
    out = fopen(argv[3], "wb");
    if (out == NULL) {
        perror(argv[3]);
        return 1;
    }
    good = fwrite(font, height, GLYPHS, out) == GLYPHS;
    if (fclose(out) != 0 || !good) {
        perror(argv[3]);
        return 1;
    }
    return 0;
}
