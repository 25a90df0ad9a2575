#include <langinfo.h>
#include <locale.h>
#include <stdio.h>

int main(void) {
    if (!setlocale(LC_ALL, ""))
        return 1;
    puts(nl_langinfo(CODESET));
    return 0;
}
