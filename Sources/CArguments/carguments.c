#include "carguments.h"

// Swift's own main receives argc and argv and drops them; CommandLine reads /proc/self/cmdline
// instead and repairs invalid UTF-8. The C library also passes both to every constructor.
static int count;
static char **arguments;

__attribute__((constructor)) static void keep(int argc, char **argv) {
  count = argc;
  arguments = argv;
}

int carguments_count(void) { return count; }

const char *carguments_at(int index) { return arguments[index]; }
