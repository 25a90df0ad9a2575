#include <stdio.h>

int main(int argc, char **argv) {
    puts("hello, world");
    for (int i = 1; i < argc; i++)
        puts(argv[i]);
    return argc - 1;
}
