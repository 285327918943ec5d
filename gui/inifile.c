/*
 * Ini files: `name = value`, or a lone name for a switch; lines that begin with # or ; are
 * comments.  See inifile.h.
 */
#include "gui/inifile.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gui/hostfile.h"

static char *trim(char *s)
{
    size_t n;

    while (isspace((unsigned char)*s)) {
        s++;
    }
    n = strlen(s);
    while (n && isspace((unsigned char)s[n - 1])) {
        s[--n] = 0;
    }
    return s;
}

static bool read_line(struct options *o, char *line, const char *dir, struct err *e)
{
    char *name = trim(line), *value = strchr(name, '=');
    size_t n;

    if (*name == 0 || *name == '#' || *name == ';') {
        return true;
    }
    if (*name == '[') {
        return err_set(e, "sections like %s are not used; write `name = value` lines", name);
    }
    if (value) {
        *value = 0;
        value = trim(value + 1);
        name = trim(name);
        n = strlen(value);
        if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
            value[n - 1] = 0;
            value++;
        }
    }
    if (strcmp(name, "readconfig") == 0) {
        return err_set(e, "readconfig: a file of settings can't name another one");
    }
    if (strcmp(name, "image") == 0 && value) {
        o->image = opt_file(o, dir, value, e);
        return o->image != NULL;
    }
    return options_set(o, name, value, dir, e);
}

bool inifile_read(struct options *o, const char *path, struct err *e)
{
    size_t len;
    char *text = (char *)hostfile_read(path, &len, e), *dir = text ? hostfile_dir(path) : NULL;
    unsigned number = 1;
    bool ok = dir != NULL;

    for (char *line = text; ok && line; number++) {
        char *end = strchr(line, '\n');
        struct err why = {{0}};

        if (end) {
            *end = 0;
        }
        if (!read_line(o, line, dir, &why)) {
            ok = err_set(e, "%s:%u: %.400s", path, number, why.text);
        }
        line = end ? end + 1 : NULL;
    }
    free(dir);
    free(text);
    return ok;
}
