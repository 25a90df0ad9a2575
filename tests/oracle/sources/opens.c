/* open_it() opens a library and prints the paths of all that is loaded then, in order. LIBRARY makes
   it a library, whose calls are those of another object. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>

#ifdef LIBRARY
int open_it(const char *name)
{
	void *opened = dlopen(name, RTLD_NOW);
	struct link_map *map = NULL;
	void *self = dlopen(NULL, RTLD_NOW);
	if (dlinfo(self, RTLD_DI_LINKMAP, &map) != 0)
		return 3;
	for (; map != NULL; map = map->l_next)
		printf("%s\n", map->l_name);
	return opened == NULL;
}
#else
int open_it(const char *name);
int main(int argc, char **argv) { return open_it(argv[argc - 1]); }
#endif
