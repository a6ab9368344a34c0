/* Runs cdm_snapshot on a device-mapper that is a few variables, and prints, in order, what was asked of it and by whom.
 *
 * suspension [EVENT:CHANGE] [OPTION…]
 *
 * EVENT happens before the tool's CHANGE, which is suspend, create_snap, status or resume:
 *   kill     the tool is killed
 *   stop     the tool is stopped, and time passes until the watchdog's limit
 *   resume   somebody else resumes the device
 *   refuse   the change fails with EIO
 *   wait     the change waits until a signal comes
 * OPTION is
 *   slow            the suspend takes 4 s
 *   no-watchdog     the watchdog is killed once the device is suspended
 *   unkillable      SIGKILL has no effect; the tool goes on once the watchdog has resumed the device
 *   no-pidfd        the kernel has no pidfds
 *   no-second       the watchdog's resume fails too
 *   no-memory       the watchdog cannot lock its memory
 *   no-tool-memory  the tool cannot
 *
 * Time is made up: it passes at once where the tool is stopped or waits, and else not at all. */
#define _GNU_SOURCE
#include "cdevicemapper.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Shared by the processes. */
static volatile struct {
  int is_suspended, tool_is_stopped, is_awaited;
  long passed_milliseconds;
  pid_t tool, watchdog;
} *state;
static const char *event = "";
static int is_slow, is_alone, is_unkillable, was_killed, has_no_pidfd, has_no_second, has_no_memory, has_no_tool_memory;

static const char *who(void) { return getpid() == state->tool ? "tool" : "watchdog"; }

int open(const char *path, int flags, ...) {
  int (*real)(const char *, int) = (int (*)(const char *, int))dlsym(RTLD_NEXT, "open");
  return real(strcmp(path, "/dev/mapper/control") == 0 ? "/dev/null" : path, flags);
}

int mlockall(int flags) {
  (void)flags;
  if (!(getpid() == state->tool ? has_no_tool_memory : has_no_memory)) return 0;
  errno = ENOMEM;
  return -1;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  (void)clock;
  time->tv_sec = state->passed_milliseconds / 1000;
  time->tv_nsec = state->passed_milliseconds % 1000 * 1000000;
  return 0;
}

/* Of the watchdog. */
int poll(struct pollfd *files, nfds_t count, int milliseconds) {
  static int is_over;
  int (*real)(struct pollfd *, nfds_t, int) =
      (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
  const long deadline = state->passed_milliseconds + milliseconds;
  state->watchdog = getpid();
  state->is_awaited = 1;
  for (;;) {
    int result = real(files, count, milliseconds > 0);
    if (result > 0 && files[0].revents & POLLHUP && !(files[0].revents & POLLIN)) {
      printf("%s: sees the end of the tool\n", who());
    }
    if (result != 0 || milliseconds == 0) return result;
    /* Whom it has killed ends. */
    if (state->tool_is_stopped && (!is_over || is_unkillable || !was_killed)) break;
  }
  is_over = 1;
  printf("%s: %ld s are over\n", who(), (deadline - state->passed_milliseconds) / 1000);
  state->passed_milliseconds = deadline;
  return 0;
}

int timer_settime(timer_t timer, int flags, const struct itimerspec *time, struct itimerspec *before) {
  int (*real)(timer_t, int, const struct itimerspec *, struct itimerspec *) =
      (int (*)(timer_t, int, const struct itimerspec *, struct itimerspec *))dlsym(RTLD_NEXT, "timer_settime");
  if (event[0] != 'w') return real(timer, flags, time, before);
  printf("%s: gives it %ld s\n", who(), (long)time->it_value.tv_sec);
  const struct itimerspec soon = {.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000};
  return real(timer, flags, &soon, before);
}

static int end_tool(const char *way) {
  printf("%s: kills the tool%s\n", who(), way);
  was_killed = 1;
  if (!is_unkillable) {
    int (*real)(pid_t, int) = (int (*)(pid_t, int))dlsym(RTLD_NEXT, "kill");
    return real(state->tool, SIGKILL);
  }
  return 0;
}

int kill(pid_t process, int number) {
  if (process == state->tool && number == SIGKILL) return end_tool(" by its number");
  errno = EINVAL;
  return -1;
}

long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long first = va_arg(list, long), second = va_arg(list, long);
  long third = va_arg(list, long), fourth = va_arg(list, long);
  va_end(list);
  if (number == SYS_pidfd_open && has_no_pidfd) {
    errno = ENOSYS;
    return -1;
  }
  if (number == SYS_pidfd_send_signal) return end_tool("");
  long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  return real(number, first, second, third, fourth);
}

static void end_watchdog(void) {
  int (*real)(pid_t, int) = (int (*)(pid_t, int))dlsym(RTLD_NEXT, "kill");
  real(state->watchdog, SIGKILL);
  siginfo_t end;
  waitid(P_PID, (id_t)state->watchdog, &end, WEXITED | WNOWAIT);
}

/* Returns -1 where the change is refused. */
static int happen(const char *change) {
  const char *wanted = strchr(event, ':');
  if (!wanted || strcmp(wanted + 1, change) != 0) return 0;
  switch (event[0]) {
  case 'k': raise(SIGKILL); break;
  case 's': raise(SIGSTOP); break;
  case 'w':
    pause();
    errno = EINTR;
    return -1;
  default:
    if (strncmp(event, "refuse", 6) == 0) {
      errno = EIO;
      return -1;
    }
    puts("others: resume");
    state->is_suspended = 0;
  }
  return 0;
}

int ioctl(int file, unsigned long request, ...) {
  (void)file;
  va_list list;
  va_start(list, request);
  struct dm_ioctl *head = va_arg(list, struct dm_ioctl *);
  va_end(list);
  const int is_tool = getpid() == state->tool;
  switch (_IOC_NR(request)) {
  case DM_DEV_SUSPEND_CMD:
    if (head->flags & DM_SUSPEND_FLAG) {
      if (happen("suspend") != 0) return -1;
      printf("%s: suspend%s\n", who(), head->flags & DM_SKIP_LOCKFS_FLAG ? "" : " and freeze");
      state->is_suspended = 1;
      if (is_slow || is_alone) while (!state->is_awaited) sched_yield();
      if (is_slow) state->passed_milliseconds += 4000;
      if (is_alone) end_watchdog();
      return 0;
    }
    if (is_tool && happen("resume") != 0) return -1;
    if (!is_tool && has_no_second) {
      errno = EIO;
      return -1;
    }
    printf("%s: resume%s\n", who(), state->is_suspended ? "" : " of a device that is active");
    state->is_suspended = 0;
    if (!is_tool && state->tool_is_stopped) {
      int (*real)(pid_t, int) = (int (*)(pid_t, int))dlsym(RTLD_NEXT, "kill");
      real(state->tool, SIGCONT);
    }
    return 0;
  case DM_TARGET_MSG_CMD:
    if (happen("create_snap") != 0) return -1;
    printf("%s: %s\n", who(), ((struct dm_target_msg *)((char *)head + head->data_start))->message);
    return 0;
  case DM_DEV_STATUS_CMD:
    if (happen("status") != 0) return -1;
    head->flags = state->is_suspended ? DM_SUSPEND_FLAG : 0;
    return 0;
  default: errno = ENOTTY; return -1;
  }
}

int main(int count, char *words[]) {
  setvbuf(stdout, NULL, _IONBF, 0);
  state = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int index = 1; index < count; index++) {
    if (strchr(words[index], ':')) event = words[index];
    if (!strcmp(words[index], "slow")) is_slow = 1;
    if (!strcmp(words[index], "no-watchdog")) is_alone = 1;
    if (!strcmp(words[index], "unkillable")) is_unkillable = 1;
    if (!strcmp(words[index], "no-pidfd")) has_no_pidfd = 1;
    if (!strcmp(words[index], "no-second")) has_no_second = 1;
    if (!strcmp(words[index], "no-memory")) has_no_memory = 1;
    if (!strcmp(words[index], "no-tool-memory")) has_no_tool_memory = 1;
  }
  /* So that the watchdog of a tool that has died is waited for too. */
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t tool = fork();
  if (tool == 0) {
    state->tool = getpid();
    static const char *const steps[] = {"done", "preparing", "suspending",
                                        "making", "resumed by others", "resuming"};
    enum cdm_step step = cdm_snapshot(1, 2, "create_snap 7 1");
    int error = errno;
    if (step == CDM_DONE) puts("returns: done");
    else printf("returns: %s, %s\n", steps[step], strerrorname_np(error));
    return 0;
  }
  int status, ended = 0;
  pid_t child;
  while ((child = waitpid(-1, &status, WUNTRACED)) > 0) {
    if (WIFSTOPPED(status)) state->tool_is_stopped = 1;
    else if (child == tool) ended = status;
  }
  if (WIFSIGNALED(ended)) printf("the tool was killed by signal %d\n", WTERMSIG(ended));
  if (state->is_suspended) puts("the device stays suspended");
  return 0;
}
