/* Names of the callers, without the addresses, which are different in every run. */
#include <execinfo.h>
#include <stdio.h>
#include <string.h>

int inner(void) {
    void *frames[32];
    int count = backtrace(frames, 32);
    char **names = backtrace_symbols(frames, count);
    for (int i = 0; i < count; i++) {
        char *name = strchr(names[i], '(');
        if (name && name[1] != '+')
            printf("%.*s\n", (int)strcspn(name + 1, "+"), name + 1);
    }
    return count > 2 ? 0 : 1;
}

int outer(void) { return inner() + 0 * printf("."); }

int main(void) { return outer(); }
