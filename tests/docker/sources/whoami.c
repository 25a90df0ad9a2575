/* Who runs this, where, with which variables and arguments. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct passwd *user = getpwuid(getuid());
    struct group *group = getgrgid(getgid());
    char here[4096];
    printf("%s(%d) %s(%d)\n", user ? user->pw_name : "?", getuid(), group ? group->gr_name : "?",
           getgid());
    printf("%s\n", getcwd(here, sizeof here) ? here : "nowhere");
    printf("GREETING=%s HOME=%s\n", getenv("GREETING"), getenv("HOME"));
    for (int i = 1; i < argc; i++)
        puts(argv[i]);
    return 0;
}
