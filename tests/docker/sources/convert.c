#include <iconv.h>
#include <stdio.h>

/* How many bytes an h has in a character set. */
int convert(const char *charset) {
    char in[] = "h", out[16], *from = in, *to = out;
    size_t left = 1, room = sizeof out;
    iconv_t open = iconv_open(charset, "UTF-8");
    if (open == (iconv_t)-1 || iconv(open, &from, &left, &to, &room) == (size_t)-1)
        return 1;
    printf("h %d\n", (int)(to - out));
    return 0;
}
