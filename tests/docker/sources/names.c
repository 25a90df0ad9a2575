/* Reads files by names that count from directories: of a descriptor, of a child that went there. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(int directory, const char *name) {
    char text[64];
    int fd = openat(directory, name, O_RDONLY);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text);
    printf("%s: %zd bytes\n", name, size);
    fflush(stdout);
}

int main(void) {
    int top = open("/usr/share/base-files", O_RDONLY | O_DIRECTORY);
    show(top, "../common-licenses/BSD");
    if (fork() == 0) {
        if (chdir("/usr/share") == 0) {
            show(AT_FDCWD, "common-licenses/Artistic");
        }
        if (fork() == 0) {
            show(AT_FDCWD, "./common-licenses/GPL");
            _exit(0);
        }
        wait(NULL);
        _exit(0);
    }
    wait(NULL);
    if (chdir("/") == 0) {
        show(AT_FDCWD, "etc/debian_version");
    }
    DIR *listed = opendir("/etc/dpkg/origins");
    printf("%d\n", listed != NULL);
    return 0;
}
