/* Kills or stops the program it is loaded into at one of the changes it makes to device-mapper, or refuses one.
 *
 * LD_PRELOAD=labkill.so LAB_KILL=WHEN:CHANGE PROGRAM…
 *
 * WHEN is `before` or `after`, and the program is killed; `stop`, and it is stopped by SIGSTOP before the change; or
 * `refuse`, and the kernel never sees the request, which fails with ENOSPC. CHANGE is a number, counted from 1 over all changes, or the
 * first of that name: create, remove, suspend, resume, load, clear, or the first word of a message
 * to a target. A line on standard error names the change. Children that the program forks are left
 * alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static pid_t victim;
static int changes, is_over;

/* Returns NULL where the request changes nothing. */
static const char *change(unsigned long request, const struct dm_ioctl *head) {
  static char message[32];
  if (_IOC_TYPE(request) != DM_IOCTL) return NULL;
  switch (_IOC_NR(request)) {
  case DM_DEV_CREATE_CMD: return "create";
  case DM_DEV_REMOVE_CMD: return "remove";
  case DM_DEV_SUSPEND_CMD: return head->flags & DM_SUSPEND_FLAG ? "suspend" : "resume";
  case DM_TABLE_LOAD_CMD: return "load";
  case DM_TABLE_CLEAR_CMD: return "clear";
  case DM_TARGET_MSG_CMD: {
    const struct dm_target_msg *target = (const void *)((const char *)head + head->data_start);
    snprintf(message, sizeof message, "%.*s", (int)strcspn(target->message, " "), target->message);
    return message;
  }
  default: return NULL;
  }
}

__attribute__((constructor)) static void remember(void) { victim = getpid(); }

static void die(const char *when, const char *name) {
  dprintf(STDERR_FILENO, "labkill: %s %s, change %d\n", when, name, changes);
  kill(victim, SIGKILL);
}

int ioctl(int fd, unsigned long request, ...) {
  static int (*real)(int, unsigned long, ...);
  if (!real) real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);

  const char *when = getenv("LAB_KILL"), *wanted = when ? strchr(when, ':') : NULL;
  const char *name = wanted && getpid() == victim ? change(request, argument) : NULL;
  if (!name) return real(fd, request, argument);
  changes++;
  wanted++;
  int is_number = *wanted >= '0' && *wanted <= '9';
  int is_due = !is_over && (is_number ? atoi(wanted) == changes : !strcmp(wanted, name));
  if (!is_due) return real(fd, request, argument);
  is_over = 1;
  if (*when == 'b') die("before", name);
  if (*when == 's') {
    dprintf(STDERR_FILENO, "labkill: stop before %s, change %d\n", name, changes);
    kill(victim, SIGSTOP);
  }
  if (*when == 'r') {
    dprintf(STDERR_FILENO, "labkill: refused %s, change %d\n", name, changes);
    errno = ENOSPC;
    return -1;
  }
  int result = real(fd, request, argument);
  if (*when == 'a') die("after", name);
  return result;
}
