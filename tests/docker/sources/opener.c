/* Opens each library of its arguments and prints what its greet() says. OPENS are names that are
   compiled in; NOTE is a dlopen metadata note. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#ifdef NOTE
__asm__(".pushsection .note.dlopen,\"a\",%note\n"
        ".balign 4\n.long 4, 2f - 1f, 0x407c0c0a\n.asciz \"FDO\"\n"
        "1: .asciz " TEXT(NOTE) "\n2: .balign 4\n.popsection\n");
#endif
#ifndef NAME
#define NAME main
#endif

#ifdef OPENS
static const char *const names[] = {OPENS};
#endif

static int open_one(const char *name)
{
	void *library = dlopen(name, RTLD_NOW);
	if (library == NULL) {
		printf("%s: %s\n", name, strstr(dlerror(), "cannot open") ? "cannot open" : "broken");
		return 1;
	}
	void (*greet)(void) = (void (*)(void))dlsym(library, "greet");
	printf("%s: opened\n", name);
	if (greet != NULL)
		greet();
	return 0;
}

int NAME(int argc, char **argv)
{
	int failed = 0;
#ifdef OPENS
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		failed |= open_one(names[i]);
#endif
	for (int i = 1; i < argc; i++)
		failed |= open_one(argv[i]);
	return failed;
}
