/*
 * What scripts do with the picture on the screen: wait for it, compare it, remember parts of it.
 * docs/scripts.md describes the words.
 */
#ifndef OXBOW_GUI_SCRIPTPIC_H
#define OXBOW_GUI_SCRIPTPIC_H

#include "gui/scriptrun.h"

/* Whether `wait` and `expect` know the word as something about the picture. */
bool scriptpic_is_goal(const char *word);
/* What is wrong with the value behind such a word; NULL: nothing. */
const char *scriptpic_misfit(const char *word, const char *value);
/* Check sum of the pixels, row by row from the top, red, green, blue; 0 without a picture. */
uint32_t scriptpic_sum(const struct surface *s);
/* Runs until the picture is as wanted, or looks once. */
enum script_result scriptpic_wait(struct script_run *r, const char *word, const char *value,
                                  struct err *e);
enum script_result scriptpic_expect(struct script_run *r, const char *word, const char *value,
                                    struct err *e);
/* Remembers a part of the picture under a name: argv as behind `keep`. */
enum script_result scriptpic_keep(struct script_run *r, const struct script_line *l,
                                  struct err *e);
void scriptpic_show(struct script_run *r, FILE *f);
void scriptpic_free(struct script_run *r);

#endif
