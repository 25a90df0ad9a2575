#include <stdio.h>

#ifndef WORDS
#define WORDS "greetings from the library"
#endif

void greet(void) { puts(WORDS); }
