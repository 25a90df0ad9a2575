/* Not the shell: that is the distribution's choice. */
#include <pwd.h>
#include <stdio.h>

int main(void) {
    struct passwd *found = getpwuid(0);
    if (!found) {
        puts("nobody has uid 0");
        return 1;
    }
    printf("%s %d %d %s\n", found->pw_name, found->pw_uid, found->pw_gid, found->pw_dir);
    return 0;
}
