/*
 * `oxbow img`: makes images and says what they are.
 */
#ifndef OXBOW_GUI_IMG_H
#define OXBOW_GUI_IMG_H

/* argv[0] is the first word after `img`.  Returns the exit status. */
int img_main(int argc, char *const argv[]);

#endif
