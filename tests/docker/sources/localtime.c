#include <stdio.h>
#include <time.h>

int main(void) {
    time_t when = 1720000000;
    char text[64];
    tzset();
    strftime(text, sizeof text, "%Y-%m-%d %H:%M %Z %z", localtime(&when));
    puts(text);
    return 0;
}
