#include <grp.h>
#include <stdio.h>

int main(void) {
    struct group *found = getgrgid(0);
    puts(found ? found->gr_name : "no group has gid 0");
    return found ? 0 : 1;
}
