/* Stops the program it is loaded into at one of the changes it makes to files.
 *
 * LD_PRELOAD=stop.so STOP_AT=kill:3 PROGRAM… kills it just before its third change; with fail:3 that change
 * fails with EIO, a write or flush by AIO when it completes. With STOP_COUNT=FILE the number of changes is written
 * there at the end. A submission to an AIO queue counts as one change, if anything in it is no read.
 *
 * With BAD_READS=BYTE reads of a file data.img fail at and behind that byte. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static atomic_int changes;
static _Atomic(struct iocb *) failing;

/* Counts a change; 1 if it is to fail. */
static int is_stopped(void) {
  const char *when = getenv("STOP_AT"), *number = when ? strchr(when, ':') : NULL;
  int place = atomic_fetch_add(&changes, 1) + 1;
  if (!number || place != atoi(number + 1)) return 0;
  if (*when == 'k') kill(getpid(), SIGKILL);
  return 1;
}

__attribute__((destructor)) static void count(void) {
  const char *path = getenv("STOP_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%d\n", atomic_load(&changes));
  fclose(file);
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define STOPPED                                                                                      \
  if (is_stopped()) {                                                                                \
    errno = EIO;                                                                                     \
    return -1;                                                                                       \
  }

/* Returns 1 if a read overlaps an unreadable range. */
static int is_bad(int fd, size_t count, off_t offset) {
  const char *bad = getenv("BAD_READS");
  char name[64], path[4096];
  if (!bad || offset + (off_t)count <= atoll(bad)) return 0;
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(name, path, sizeof path - 1);
  return length > 8 && !memcmp(path + length - 8, "data.img", 8);
}

int io_submit(io_context_t context, long count, struct iocb **blocks) {
  REAL(io_submit);
  struct iocb *change = NULL;
  for (long i = 0; i < count && !change; i++)
    if (blocks[i]->aio_lio_opcode != IO_CMD_PREAD) change = blocks[i];
  if (change && is_stopped()) failing = change;
  return real(context, count, blocks);
}

int io_getevents(io_context_t context, long least, long most, struct io_event *events,
                 struct timespec *timeout) {
  REAL(io_getevents);
  int count = real(context, least, most, events, timeout);
  for (int i = 0; i < count; i++) {
    struct iocb *block = events[i].obj;
    if (block == failing) failing = NULL;
    else if (block->aio_lio_opcode != IO_CMD_PREAD ||
             !is_bad(block->aio_fildes, block->u.c.nbytes, block->u.c.offset))
      continue;
    events[i].res = -EIO;
  }
  return count;
}

ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
  REAL(pread);
  if (!is_bad(fd, count, offset)) return real(fd, bytes, count, offset);
  errno = EIO;
  return -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  REAL(pwrite);
  STOPPED
  return real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  REAL(pwrite64);
  STOPPED
  return real(fd, bytes, count, offset);
}

int fsync(int fd) {
  REAL(fsync);
  STOPPED
  return real(fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  STOPPED
  return real(fd);
}

int ftruncate(int fd, off_t length) {
  REAL(ftruncate);
  STOPPED
  return real(fd, length);
}

int link(const char *from, const char *to) {
  REAL(link);
  STOPPED
  return real(from, to);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  STOPPED
  return real(from, to);
}

int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
  REAL(fsetxattr);
  STOPPED
  return real(fd, name, value, size, flags);
}

int fremovexattr(int fd, const char *name) {
  REAL(fremovexattr);
  STOPPED
  return real(fd, name);
}
