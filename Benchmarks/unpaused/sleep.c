// Cuts a program's sleeps short, for a dynamic loader's --preload or LD_PRELOAD:
//
//   cc -O2 -Wall -Wextra -Werror -shared -fPIC -o sleep.so sleep.c
//   LD_PRELOAD=$PWD/sleep.so thin_check meta.img
//
// thin-provisioning-tools 1.1.0 wait in the end for a thread that tells of progress, which sleeps for half
// a second at a time: their times come in such steps. With this each sleep is of a millisecond at most.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static const struct timespec longest = {.tv_sec = 0, .tv_nsec = 1000000};

static const struct timespec *shortened(const struct timespec *wanted) {
  return wanted->tv_sec > 0 || wanted->tv_nsec > longest.tv_nsec ? &longest : wanted;
}

int nanosleep(const struct timespec *wanted, struct timespec *left) {
  int (*real)(const struct timespec *, struct timespec *) = dlsym(RTLD_NEXT, "nanosleep");
  return real(shortened(wanted), left);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left) {
  int (*real)(clockid_t, int, const struct timespec *, struct timespec *) =
      dlsym(RTLD_NEXT, "clock_nanosleep");
  // A point in time is no length: the program waits for it.
  return real(clock, flags, flags & TIMER_ABSTIME ? wanted : shortened(wanted), left);
}
