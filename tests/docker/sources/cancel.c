/* glibc opens libgcc_s.so.1 by itself to unwind the thread. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void told(void *what) { puts(what); }

static void *wait_forever(void *unused) {
    pthread_cleanup_push(told, "cleaned up");
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return unused;
}

int cancel_one(void) {
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, NULL, wait_forever, NULL))
        return 1;
    pthread_cancel(thread);
    pthread_join(thread, &result);
    puts(result == PTHREAD_CANCELED ? "cancelled" : "ended");
    fflush(stdout);
    return 0;
}

#ifndef LIBRARY
int main(void) { return cancel_one(); }
#endif
