/* Kills the program it is loaded into at one of the changes it makes to device-mapper.
 *
 * LD_PRELOAD=labkill.so LAB_KILL=before:3 PROGRAM… dies before its third change, after:3 behind it.
 * Children that the program forks are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static pid_t victim;
static int changes;

static int is_change(unsigned long request) {
  switch (_IOC_NR(request)) {
  case DM_DEV_CREATE_CMD:
  case DM_DEV_REMOVE_CMD:
  case DM_DEV_SUSPEND_CMD: /* and resume */
  case DM_TABLE_LOAD_CMD:
  case DM_TABLE_CLEAR_CMD:
  case DM_TARGET_MSG_CMD: return _IOC_TYPE(request) == DM_IOCTL;
  default: return 0;
  }
}

__attribute__((constructor)) static void remember(void) { victim = getpid(); }

int ioctl(int fd, unsigned long request, ...) {
  static int (*real)(int, unsigned long, ...);
  if (!real) real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);

  const char *when = getenv("LAB_KILL"), *number = when ? strchr(when, ':') : NULL;
  if (!number || getpid() != victim || !is_change(request)) return real(fd, request, argument);
  int is_due = ++changes == atoi(number + 1);
  if (is_due && *when == 'b') kill(victim, SIGKILL);
  int result = real(fd, request, argument);
  if (is_due) kill(victim, SIGKILL);
  return result;
}
