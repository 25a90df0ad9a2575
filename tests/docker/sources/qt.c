/* A program of Qt, without its headers: QGuiApplication::QGuiApplication(int &, char **, int). */
#include <stdio.h>

void application(void *self, int *argc, char **argv, int version)
    __asm__("_ZN15QGuiApplicationC1ERiPPci");

int main(int argc, char **argv) {
    static char self[256];
    application(self, &argc, argv, 0x050f00);
    puts("it has a platform");
    fflush(stdout);
    return 0;
}
