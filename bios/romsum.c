/*
 * romsum: makes an option ROM image valid: sets its last byte so that all bytes add up to 0.
 *
 * Usage: romsum IMAGE
 * Runs on the build host only and changes the file in place. The image must start with 55 AA and
 * its third byte must give exactly its size in units of 512 bytes, or nothing is written.
 */
#include <stdio.h>
#include <stdlib.h>

enum { UNIT = 512, MAX_SIZE = 255 * UNIT };

int main(int argc, char **argv)
{
    static unsigned char image[MAX_SIZE + 1];
    unsigned sum = 0;
    size_t size;
    FILE *file;

    if (argc != 2) {
        fprintf(stderr, "usage: romsum IMAGE\n");
        return 2;
    }
    file = fopen(argv[1], "r+b");
    if (file == NULL) {
        perror(argv[1]);
        return 1;
    }
    size = fread(image, 1, sizeof image, file);
    if (size < UNIT || image[0] != 0x55 || image[1] != 0xAA || size != (size_t)image[2] * UNIT) {
        fprintf(stderr, "romsum: %s is not an option ROM of the size its header gives\n", argv[1]);
        fclose(file);
        return 1;
    }
    for (size_t i = 0; i < size - 1; i++) {
        sum += image[i];
    }
    sum = (0x100 - sum % 0x100) & 0xFF;
    if (fseek(file, (long)(size - 1), SEEK_SET) != 0 || fputc((int)sum, file) == EOF
        || fclose(file) != 0) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
