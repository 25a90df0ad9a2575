#include <stdio.h>
#include <threads.h>

static int leave(void *unused) {
    (void)unused;
    thrd_exit(7);
}

int main(void) {
    thrd_t thread;
    int result = 0;
    if (thrd_create(&thread, leave, NULL) != thrd_success)
        return 1;
    thrd_join(thread, &result);
    printf("left with %d\n", result);
    return 0;
}
