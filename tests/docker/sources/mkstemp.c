#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    char path[] = "/tmp/elfpack-XXXXXX";
    struct stat directory;
    int file = mkstemp(path);
    if (file < 0) {
        perror("mkstemp");
        return 1;
    }
    unlink(path);
    stat("/tmp", &directory);
    printf("made one in a directory of mode %o\n", directory.st_mode & 07777);
    return 0;
}
