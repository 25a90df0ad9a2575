#include <pwd.h>
#include <stdio.h>

int main(int argc, char **argv) {
    struct passwd *found = getpwnam(argv[argc - 1]);
    if (!found) {
        puts("no such user");
        return 1;
    }
    printf("%s %d %d %s\n", found->pw_name, found->pw_uid, found->pw_gid, found->pw_dir);
    return 0;
}
