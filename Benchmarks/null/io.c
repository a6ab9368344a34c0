// Swallows a program's asynchronous I/O on two files, for LD_PRELOAD over libaio:
//
//   cc -O2 -Wall -Wextra -Werror -shared -fPIC -o io.so io.c
//   NULL_DATA=data.img NULL_ORIGIN=/dev/loop0 LD_PRELOAD=$PWD/io.so thin-merge merge …
//
// Reads, writes and flushes of the files that NULL_DATA and NULL_ORIGIN name complete at once with all
// of their bytes; nothing is read or written. All other requests go to the kernel. So a merge's own work
// can be measured at sizes that no disk here has: both files may be holes. (thin-merge allocates the
// holes of an origin that is a regular file; a loop device over one stays a hole.)
//
// With NULL_TOUCH=1 a read leaves a byte in each page of its buffer, which is memory then: a page that
// nobody has written to takes none.
//
// With NULL_FIRST_WRITE=FILE the first write to the origin is noted there: CLOCK_MONOTONIC's nanoseconds.
//
// For programs that use libaio on one thread, as thin-merge does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct completion {
  io_context_t context;
  struct io_event event;
};

// More than any queue depth of thin-merge's; requests beyond it are refused as by a full queue.
enum { WAITING_MAX = 8192 };
static struct completion waiting[WAITING_MAX];
static int waiting_count;

static struct stat data, origin;
static bool has_data, has_origin, touches;
static const char *first_write_path;

static int (*real_submit)(io_context_t, long, struct iocb **);
static int (*real_getevents)(io_context_t, long, long, struct io_event *, struct timespec *);

__attribute__((noreturn)) static void stop(const char *what) {
  perror(what);
  _exit(70);
}

static bool find(const char *variable, struct stat *file) {
  const char *path = getenv(variable);
  if (path == NULL) return false;
  if (stat(path, file) != 0) stop(path);
  return true;
}

__attribute__((constructor)) static void load(void) {
  real_submit = dlsym(RTLD_NEXT, "io_submit");
  real_getevents = dlsym(RTLD_NEXT, "io_getevents");
  has_data = find("NULL_DATA", &data);
  has_origin = find("NULL_ORIGIN", &origin);
  touches = getenv("NULL_TOUCH") != NULL;
  first_write_path = getenv("NULL_FIRST_WRITE");
}

static void note_first_write(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  long long nanoseconds = now.tv_sec * 1000000000LL + now.tv_nsec;
  int file = open(first_write_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0 || dprintf(file, "%lld\n", nanoseconds) < 0) stop(first_write_path);
  close(file);
  first_write_path = NULL;
}

static bool is_same(const struct stat *one, const struct stat *other) {
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

static void touch(volatile char *buffer, size_t byte_count) {
  for (size_t place = 0; place < byte_count; place += 4096) buffer[place] = 0;
}

// Descriptors are used again for other files, so each request's is looked at.
static bool swallow(io_context_t context, struct iocb *request) {
  struct stat file;
  if (fstat(request->aio_fildes, &file) != 0) return false;
  bool is_origin = has_origin && is_same(&file, &origin);
  if (!is_origin && !(has_data && is_same(&file, &data))) return false;
  long result;
  switch (request->aio_lio_opcode) {
    case IO_CMD_PWRITE:
      if (is_origin && first_write_path != NULL) note_first_write();
      result = (long)request->u.c.nbytes;
      break;
    case IO_CMD_PREAD:
      if (touches) touch(request->u.c.buf, request->u.c.nbytes);
      result = (long)request->u.c.nbytes;
      break;
    case IO_CMD_FSYNC:
    case IO_CMD_FDSYNC: result = 0; break;
    default: return false;
  }
  waiting[waiting_count++] = (struct completion){
      .context = context,
      .event = {.data = request->data, .obj = request, .res = (unsigned long)result}};
  return true;
}

int io_submit(io_context_t context, long count, struct iocb **requests) {
  long done = 0;
  while (done < count) {
    if (waiting_count == WAITING_MAX) return done > 0 ? (int)done : -EAGAIN;
    if (swallow(context, requests[done])) {
      done++;
      continue;
    }
    // One by one, so that requests are taken in the order in which they are given.
    int taken = real_submit(context, 1, requests + done);
    if (taken != 1) return done > 0 ? (int)done : taken;
    done++;
  }
  return (int)done;
}

// Moves completions of the context to the caller and keeps the rest in their order.
static long deliver(io_context_t context, long count_max, struct io_event *events) {
  long delivered = 0;
  int kept = 0;
  for (int index = 0; index < waiting_count; index++) {
    if (waiting[index].context == context && delivered < count_max)
      events[delivered++] = waiting[index].event;
    else
      waiting[kept++] = waiting[index];
  }
  waiting_count = kept;
  return delivered;
}

int io_getevents(io_context_t context, long count_min, long count_max, struct io_event *events,
                 struct timespec *timeout) {
  long delivered = deliver(context, count_max, events);
  if (delivered == count_max) return (int)delivered;
  // The kernel is polled every time; otherwise a flush of the journal would never complete.
  struct timespec at_once = {0, 0};
  long missing = count_min > delivered ? count_min - delivered : 0;
  int real = real_getevents(context, missing, count_max - delivered, events + delivered,
                            missing > 0 ? timeout : &at_once);
  if (real < 0) return delivered > 0 ? (int)delivered : real;
  return (int)delivered + real;
}
