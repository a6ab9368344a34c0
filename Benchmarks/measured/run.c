// Runs a program and writes down what it took:
//
//   cc -O2 -Wall -Wextra -Werror -static -o run run.c
//   ./run usage.txt thin-merge plan …
//
// The file gets one line: nanoseconds by the clock from the fork to the end, microseconds of user and of
// system time, peak memory in KiB, and blocks of 512 bytes read from devices, of the program and of the
// children that it waited for. The exit status is the program's, or 128 and the signal that ended it.
//
// The kernel's figure for a child's peak memory includes its copy of the parent before exec, so the parent
// has to be small. This one is linked statically to be small, and so that LD_PRELOAD does not affect it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OWN_FAILURE = 125 };

static long long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long microseconds(struct timeval time) {
  return time.tv_sec * 1000000LL + time.tv_usec;
}

static int failed(const char *what) {
  perror(what);
  return OWN_FAILURE;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fputs("usage: run FILE PROGRAM…\n", stderr);
    return OWN_FAILURE;
  }
  int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return failed(argv[1]);

  long long begin = nanoseconds();
  pid_t child = fork();
  if (child < 0) return failed("fork");
  if (child == 0) {
    // A benchmark that is stopped kills this process.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[2], argv + 2);
    _exit(failed(argv[2]));
  }
  int status;
  struct rusage usage;
  if (wait4(child, &status, 0, &usage) != child) return failed("wait4");
  long long duration = nanoseconds() - begin;

  if (dprintf(file, "%lld %lld %lld %ld %ld\n", duration, microseconds(usage.ru_utime),
              microseconds(usage.ru_stime), usage.ru_maxrss, usage.ru_inblock) < 0)
    return failed(argv[1]);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
