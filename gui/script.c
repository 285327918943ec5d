/*
 * Reads test scripts: lines of words, quotes, escapes; checks verbs and their arguments.  See
 * script.h.
 */
#include "gui/script.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gui/keynames.h"
#include "gui/options.h"
#include "gui/optvalue.h"
#include "gui/scriptpic.h"

/* --- words --------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f'
                                                ? (c | 0x20) - 'a' + 10
                                                : -1;
}

/*
 * The character of an escape; *s points behind the backslash, then behind the escape.  -1:
 * unknown.
 */
static int escape(const char **s)
{
    static const char names[] = "ntrbe\\\"", values[] = "\n\t\r\b\x1b\\\"";
    const char *at = **s ? strchr(names, **s) : NULL;

    if (at) {
        (*s)++;
        return (unsigned char)values[at - names];
    }
    if (**s == 'x' && hex_digit((*s)[1]) >= 0 && hex_digit((*s)[2]) >= 0) {
        int v = hex_digit((*s)[1]) * 16 + hex_digit((*s)[2]);

        *s += 3;
        return v;
    }
    return -1;
}

/* Reads the quoted part at *in into *out, where there is room as it only shrinks. */
static bool quoted(const char **in, char **out, struct err *e)
{
    char quote = *(*in)++;

    while (**in && **in != '\n' && **in != quote) {
        int c = *(*in)++;

        if (c == '\\' && quote == '"') {
            c = escape(in);
            if (c <= 0) {
                return err_set(e, "unknown escape \\%c; there are \\n \\t \\r \\b \\e \\\\ \\\" "
                                  "and \\xHH", isprint((unsigned char)**in) ? **in : '?');
            }
        }
        *(*out)++ = (char)c;
    }
    return *(*in)++ == quote || err_set(e, "the closing %c is missing", quote);
}

/*
 * The next word of the line, written over the text at *out.  *word: NULL at the end of the line.
 * The zero that ends a word falls on the character behind it, which is taken as well: *more says
 * whether the line goes on.
 */
static bool next_word(const char **in, char **out, char **word, bool *more, struct err *e)
{
    *word = NULL;
    while (**in == ' ' || **in == '\t' || **in == '\r') {
        (*in)++;
    }
    if (**in == 0 || **in == '\n' || **in == '#') {
        *in += strcspn(*in, "\n");
        *more = false;
        *in += **in == '\n';
        return true;
    }
    *word = *out;
    while (**in && !strchr(" \t\r\n", **in)) {
        if (**in == '"' || **in == '\'') {
            if (!quoted(in, out, e)) {
                return false;
            }
        } else {
            *(*out)++ = *(*in)++;
        }
    }
    *more = **in && **in != '\n';
    *in += **in != 0;
    *(*out)++ = 0;
    return true;
}

/* --- arguments ----------------------------------------------------------------------------- */

bool script_seconds(const char *text, uint64_t *us)
{
    uint64_t v = 0, unit = 1000000;
    bool any = false, dot = false;

    for (; *text; text++) {
        if (*text == '.' && !dot) {
            dot = true;
        } else if (isdigit((unsigned char)*text) && v < UINT64_C(1000000000000)) {
            any = true;
            if (dot) {
                unit /= 10;
                v += (uint64_t)(*text - '0') * unit;
            } else {
                v = v * 10 + (uint64_t)(*text - '0') * unit;
            }
        } else {
            return false;
        }
    }
    *us = v;
    return any;
}

int script_port(const char *name)
{
    static const char *const names[] = {"serial", "serial2", "serial3", "serial4", "screen",
                                        "debug"};

    for (int n = 0; n < (int)ARRAY_LEN(names); n++) {
        if (strcmp(name, names[n]) == 0) {
            return n;
        }
    }
    return -1;
}

static bool is_signed(const char *text)
{
    uint64_t n;

    return optvalue_number(text + (*text == '-'), &n) && n <= 100000;
}

bool script_is_event(const char *word)
{
    return strcmp(word, "poweroff") == 0 || strcmp(word, "reset") == 0 ||
           strcmp(word, "crash") == 0 || strcmp(word, "exit") == 0;
}

static bool is_drive(const char *w)
{
    return strlen(w) == 3 && w[1] == 'd' &&
           ((w[0] == 'f' && w[2] >= 'a' && w[2] <= 'b') ||
            (w[0] == 'h' && w[2] >= 'a' && w[2] <= 'd'));
}

/* NULL when the word will do, else what is wanted. */
static const char *misfit(char kind, const char *word)
{
    uint64_t n;
    bool on;
    unsigned codes[KEYNAMES_MAX];

    switch (kind) {
    case 's':
        return script_seconds(word, &n) ? NULL : "not a number of seconds";
    case 'n':
        return optvalue_scaled(word, 1000, 1, &n) ? NULL : "not a number";
    case 'i':
        return is_signed(word) ? NULL : "not a number";
    case 'k':
        return keynames_chord(word, codes) ? NULL : "no key; write as in ctrl-alt-delete or f1";
    case 'p':
        return script_port(word) >= 0 ? NULL : "not serial, serial2 to serial4, screen or debug";
    case 'g':
        return script_port(word) >= 0 || scriptpic_is_goal(word)
                   ? NULL
                   : "not serial, serial2 to serial4, screen, debug, picture, size, still, same "
                     "or changed";
    case 'v':
        return script_port(word) >= 0 || strcmp(word, "picture") == 0
                   ? NULL
                   : "not serial, serial2 to serial4, screen, debug or picture";
    case 'o':
        return script_port(word) >= 0 && script_port(word) < 4 ? NULL
                                                               : "not serial or serial2 to serial4";
    case 'w':
        return optvalue_switch(word, &on) ? NULL : "not on or off";
    case 'd':
        return is_drive(word) ? NULL : "no drive; there are fda, fdb and hda to hdd";
    case 'x':
        return script_port(word) >= 0 || script_is_event(word) || strcmp(word, "hash") == 0 ||
                       (scriptpic_is_goal(word) && strcmp(word, "still") != 0)
                   ? NULL
                   : "not serial, screen, debug, picture, size, same, changed, poweroff, reset, "
                     "crash, exit or hash";
    default:
        return *word || kind == 't' ? NULL : "empty";
    }
}

static bool check_args(const struct script_line *l, struct err *e)
{
    const char *kinds = l->verb->args, *why;
    bool needed = true;
    char last = 't';
    int n = 0;

    for (; *kinds && *kinds != '*'; kinds++) {
        if (*kinds == '|') {
            needed = false;
            continue;
        }
        if (n == l->argc) {
            return !needed || err_set(e, "%s: something is missing behind it", l->verb->name);
        }
        last = *kinds;
        why = misfit(last, l->argv[n]);
        if (why) {
            return err_set(e, "%s %.80s: %s", l->verb->name, l->argv[n], why);
        }
        n++;
    }
    if (*kinds != '*' && n < l->argc) {
        return err_set(e, "%s: %.80s is one word too many", l->verb->name, l->argv[n]);
    }
    for (; n < l->argc; n++) {
        why = misfit(last, l->argv[n]);
        if (why) {
            return err_set(e, "%s %.80s: %s", l->verb->name, l->argv[n], why);
        }
    }
    return true;
}

/* expect: a text behind a port, a value behind exit and hash, nothing behind the others. */
static bool check_expect(const struct script_line *l, struct err *e)
{
    const char *what = l->argv[0];
    bool valued = strcmp(what, "exit") == 0 || strcmp(what, "hash") == 0 ||
                  script_port(what) >= 0 || scriptpic_is_goal(what);
    uint64_t n;

    if (valued != (l->argc == 2)) {
        return err_set(e, "expect %s: %s", what, valued ? "something is missing behind it"
                                                        : "takes nothing behind it");
    }
    return strcmp(what, "exit") != 0 || (optvalue_number(l->argv[1], &n) && n < 256) ||
           err_set(e, "expect exit %.80s: not an exit status", l->argv[1]);
}

/* wait and expect: the value behind a word about the picture. */
static bool check_picture(const struct script_line *l, struct err *e)
{
    const char *why;

    if (!scriptpic_is_goal(l->argv[0])) {
        return true;
    }
    why = scriptpic_misfit(l->argv[0], l->argv[1]);
    return !why || err_set(e, "%s %s %.80s: %s", l->verb->name, l->argv[0], l->argv[1], why);
}

/* keep: a whole picture, or all four numbers of a part. */
static bool check_keep(const struct script_line *l, struct err *e)
{
    return l->argc == 1 || l->argc == 5 ||
           err_set(e, "keep %.80s: write X Y W H behind it, or nothing", l->argv[0]);
}

static bool check_boot(const struct script_line *l, const char *dir, struct err *e)
{
    struct options o;
    bool ok;

    options_init(&o);
    ok = options_parse(&o, l->argc, l->argv, dir, e) && options_check(&o, e);
    if (ok && (o.action != ACTION_RUN || o.display == DISPLAY_SDL)) {
        ok = err_set(e, "boot: -help, -version, -cpu help and -display sdl have no place in a "
                        "script");
    }
    options_free(&o);
    return ok;
}

/* --- lines --------------------------------------------------------------------------------- */

static const struct script_verb *find_verb(const char *name)
{
    for (size_t n = 0; n < script_verb_count; n++) {
        if (strcmp(script_verbs[n].name, name) == 0) {
            return &script_verbs[n];
        }
    }
    return NULL;
}

static bool check_line(struct script_line *l, bool booted, const char *dir, struct err *e)
{
    bool anywhere = strcmp(l->verb->name, "boot") == 0 || strcmp(l->verb->name, "timeout") == 0 ||
                    strcmp(l->verb->name, "print") == 0;

    if (!booted && !anywhere) {
        return err_set(e, "%s: there is no machine yet; write a boot line before it",
                       l->verb->name);
    }
    return check_args(l, e) && (strcmp(l->verb->name, "boot") != 0 || check_boot(l, dir, e)) &&
           (strcmp(l->verb->name, "expect") != 0 || (check_expect(l, e) && check_picture(l, e))) &&
           (strcmp(l->verb->name, "wait") != 0 || check_picture(l, e)) &&
           (strcmp(l->verb->name, "keep") != 0 || check_keep(l, e));
}

/* Splits a line into words behind `words`; false: bad quoting. */
static bool read_words(const char **in, char **out, char **words, int *count, struct err *e)
{
    bool more = true;

    *count = 0;
    while (more) {
        char *word;

        if (!next_word(in, out, &word, &more, e)) {
            return false;
        }
        if (word) {
            words[(*count)++] = word;
        }
    }
    return true;
}

static bool read_lines(struct script *s, const char *dir, unsigned *number, struct err *e)
{
    const char *in = s->text;
    char *out = s->text, **words = s->words;
    bool booted = false;

    while (*in) {
        struct script_line *l = &s->lines[s->count];
        int count;

        ++*number;
        if (!read_words(&in, &out, words, &count, e)) {
            return false;
        }
        if (count == 0) {
            continue;
        }
        *l = (struct script_line){*number, find_verb(words[0]), count - 1, words + 1};
        words += count;
        if (!l->verb) {
            return err_set(e, "%.80s: unknown word; docs/scripts.md lists them", words[-count]);
        }
        if (!check_line(l, booted, dir, e)) {
            return false;
        }
        booted |= strcmp(l->verb->name, "boot") == 0;
        s->count++;
    }
    return booted || err_set(e, "the script has no boot line");
}

bool script_parse(struct script *s, const char *text, const char *dir, struct err *e)
{
    size_t n = strlen(text), lines = 1;
    struct err why = {{0}};
    unsigned number = 0;

    for (const char *p = text; *p; p++) {
        lines += *p == '\n';
    }
    *s = (struct script){.text = malloc(n + 1)};
    s->words = calloc(n / 2 + 2, sizeof *s->words);
    s->lines = calloc(lines, sizeof *s->lines);
    if (!s->text || !s->words || !s->lines) {
        script_free(s);
        return err_set(e, "not enough memory for the script");
    }
    memcpy(s->text, text, n + 1);
    if (!read_lines(s, dir, &number, &why)) {
        script_free(s);
        return err_set(e, "line %u: %.440s", number, why.text);
    }
    return true;
}

void script_free(struct script *s)
{
    free(s->text);
    free(s->words);
    free(s->lines);
    *s = (struct script){0};
}
