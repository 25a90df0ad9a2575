#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
    void *library = argc > 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    int (*convert)(const char *) = library ? dlsym(library, "convert") : NULL;
    if (!convert)
        return fprintf(stderr, "%s\n", dlerror()), 2;
    return convert(argv[2]);
}
