/* host PLUGIN: opens it and calls its plugin(). */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
    void *plugin = dlopen(argv[argc - 1], RTLD_NOW);
    int (*function)(void) = plugin ? (int (*)(void))dlsym(plugin, "plugin") : NULL;
    if (!function) {
        puts(dlerror());
        return 1;
    }
    return function();
}
