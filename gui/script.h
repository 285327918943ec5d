/*
 * Scripted runs, `oxbow test FILE...`: a line each for what to do and what must happen. 
 * docs/scripts.md has the language; script.c reads it, scriptrun.c runs it.
 *
 * A script is checked as a whole before its first line is run.  Everything in it happens in guest
 * time, so a run gives the same result on every host.
 */
#ifndef OXBOW_GUI_SCRIPT_H
#define OXBOW_GUI_SCRIPT_H

#include "memory/base.h"
#include "memory/err.h"

enum script_result {
    SCRIPT_PASSED, SCRIPT_FAILED, SCRIPT_TIMEOUT, SCRIPT_CRASHED, SCRIPT_BAD, SCRIPT_INTERNAL,
    SCRIPT_ENDED /* by a signal */
};

struct script_line;
struct script_run;

struct script_verb {
    const char *name;
    /*
     * One letter per argument: t text, f file, s seconds, n number, i signed number, k chord of
     * keys, w on or off, p port (serial, serial2..4, screen, debug), g port or something about
     * the picture, v port or picture, o serial port, d drive, x what `expect` knows.
     * After | they may be missing; * at the end: any number of words.
     */
    const char *args;
    enum script_result (*run)(struct script_run *r, const struct script_line *l, struct err *e);
};

struct script_line {
    unsigned number;
    const struct script_verb *verb;
    int argc;
    char **argv; /* without the verb; pointers into the text of the script */
};

struct script {
    char *text;
    char **words;
    struct script_line *lines;
    size_t count;
};

extern const struct script_verb script_verbs[];
extern const size_t script_verb_count;

/* `dir` is the folder that file names start from.  On failure e has the line's number in it. */
bool script_parse(struct script *s, const char *text, const char *dir, struct err *e);
void script_free(struct script *s);
/* Seconds such as 0.25 as microseconds. */
bool script_seconds(const char *text, uint64_t *us);
/* The number of a port's name: 0-3 serial, 4 screen, 5 debug; -1: none. */
int script_port(const char *name);

/* Whether `expect` waits for it, as for poweroff, rather than looking. */
bool script_is_event(const char *word);

/* The result of running the lines; `path` is for messages. */
enum script_result script_run(const struct script *s, const char *path, const char *dir);
/* `oxbow test`; argv[0] is the first script.  Returns the exit status: the worst result. */
int script_main(int argc, char *const argv[]);

#endif
