// Counts what a program asks of the heap, for LD_PRELOAD:
//
//   cc -O2 -Wall -Wextra -Werror -shared -fPIC -o count.so count.c
//   HEAP_COUNTS=counts.txt LD_PRELOAD=$PWD/count.so thin-merge plan …
//
// When the program exits, the file has one line: the calls of each function since it began, those of
// the libraries that it is linked with among them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// glibc's own heap under its other names: no look-up, which would itself ask for memory.
void *__libc_malloc(size_t byte_count);
void *__libc_calloc(size_t count, size_t byte_count);
void *__libc_realloc(void *memory, size_t byte_count);
void *__libc_memalign(size_t alignment, size_t byte_count);
void __libc_free(void *memory);

enum function { MALLOC, CALLOC, REALLOC, POSIX_MEMALIGN, ALIGNED_ALLOC, MEMALIGN, FREE, FUNCTIONS };

static const char *const names[FUNCTIONS] = {
    "malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign", "free"};
static atomic_ulong calls[FUNCTIONS];

static void count(enum function function) {
  atomic_fetch_add_explicit(&calls[function], 1, memory_order_relaxed);
}

void *malloc(size_t byte_count) {
  count(MALLOC);
  return __libc_malloc(byte_count);
}

void *calloc(size_t number, size_t byte_count) {
  count(CALLOC);
  return __libc_calloc(number, byte_count);
}

void *realloc(void *memory, size_t byte_count) {
  count(REALLOC);
  return __libc_realloc(memory, byte_count);
}

int posix_memalign(void **memory, size_t alignment, size_t byte_count) {
  count(POSIX_MEMALIGN);
  if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
    return EINVAL;
  void *aligned = __libc_memalign(alignment, byte_count);
  if (aligned == NULL) return ENOMEM;
  *memory = aligned;
  return 0;
}

void *aligned_alloc(size_t alignment, size_t byte_count) {
  count(ALIGNED_ALLOC);
  return __libc_memalign(alignment, byte_count);
}

void *memalign(size_t alignment, size_t byte_count) {
  count(MEMALIGN);
  return __libc_memalign(alignment, byte_count);
}

void free(void *memory) {
  // Of nothing: no work of the heap's.
  if (memory == NULL) return;
  count(FREE);
  __libc_free(memory);
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("HEAP_COUNTS");
  if (path == NULL) return;
  char line[512];
  int length = 0;
  for (int function = 0; function < FUNCTIONS; function++)
    length += snprintf(line + length, sizeof line - (size_t)length, "%s%s=%lu",
                       function == 0 ? "" : " ", names[function], atomic_load(&calls[function]));
  line[length++] = '\n';
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0 || write(file, line, (size_t)length) != length) perror(path);
  if (file >= 0) close(file);
}
