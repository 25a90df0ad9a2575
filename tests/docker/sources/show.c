/* show FILE...: their contents, as cat has them. */
#include <stdio.h>

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        int c;
        if (!file) {
            printf("%s is not there\n", argv[i]);
            return 1;
        }
        while ((c = getc(file)) != EOF)
            putchar(c);
        fclose(file);
    }
    return 0;
}
