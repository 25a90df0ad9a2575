/* main ends its own thread, the other one goes on. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *go_on(void *unused) {
    usleep(50000);
    puts("the other thread goes on");
    return unused;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, go_on, NULL))
        return 1;
    pthread_exit(NULL);
}
