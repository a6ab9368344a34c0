#include "cdevicemapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void cdm_say_nothing(int level, const char *file, int line, int dm_errno,
                            const char *format, ...) {
  (void)level, (void)file, (void)line, (void)dm_errno, (void)format;
}

void cdm_silence(void) { dm_log_with_errno_init(cdm_say_nothing); }

// One request to /dev/mapper/control, with room for a message to a target.
struct cdm_request {
  struct dm_ioctl head;
  // struct dm_target_msg, whose text has no length of its own.
  uint64_t sector;
  char text[128];
};
_Static_assert(offsetof(struct cdm_request, text) - offsetof(struct cdm_request, sector) ==
                   offsetof(struct dm_target_msg, message),
               "the text of a message follows its sector");

static void cdm_prepare(struct cdm_request *_Nonnull request, uint64_t device,
                        uint32_t flags) {
  memset(request, 0, sizeof *request);
  request->head.version[0] = DM_VERSION_MAJOR;
  request->head.data_size = sizeof *request;
  request->head.data_start = offsetof(struct cdm_request, sector);
  request->head.dev = device;
  request->head.flags = flags;
}

enum cdm_step cdm_snapshot(uint64_t thin, uint64_t pool, const char *_Nonnull text) {
  struct cdm_request suspend, message, status, resume;
  if (strlen(text) >= sizeof message.text) {
    errno = EINVAL;
    return CDM_PREPARING;
  }
  cdm_prepare(&suspend, thin, DM_SUSPEND_FLAG);
  cdm_prepare(&message, pool, 0);
  strcpy(message.text, text);
  cdm_prepare(&status, thin, 0);
  cdm_prepare(&resume, thin, 0);

  int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (control < 0) return CDM_PREPARING;
  int alive[2], ready[2];
  if (pipe(alive) != 0) {
    close(control);
    return CDM_PREPARING;
  }
  if (pipe(ready) != 0) {
    close(control), close(alive[0]), close(alive[1]);
    return CDM_PREPARING;
  }
  pid_t child = fork();
  if (child == 0) {
    // Only calls that are safe after fork in any program.
    setsid();
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    sigaction(SIGHUP, &ignored, NULL);
    sigaction(SIGINT, &ignored, NULL);
    sigaction(SIGTERM, &ignored, NULL);
    sigaction(SIGPIPE, &ignored, NULL);
    close(alive[1]);
    close(ready[0]);
    // What it tells: 0, or why it cannot be relied on.
    char byte = mlockall(MCL_CURRENT) == 0 ? 0 : (char)errno;
    ssize_t count;
    while ((count = write(ready[1], &byte, 1)) < 0 && errno == EINTR) continue;
    if (byte != 0 || count != 1) _exit(1);
    while ((count = read(alive[0], &byte, 1)) < 0 && errno == EINTR) continue;
    // A byte says that the device is resumed; the end of the pipe, that nobody is left to do it.
    if (count == 0) ioctl(control, DM_DEV_SUSPEND, &resume);
    _exit(0);
  }
  int error = errno;
  close(alive[0]);
  close(ready[1]);
  char byte = 0;
  ssize_t count = 0;
  if (child > 0) {
    while ((count = read(ready[0], &byte, 1)) < 0 && errno == EINTR) continue;
    error = count == 1 ? byte : EPIPE;
  }
  close(ready[0]);

  enum cdm_step failed = CDM_PREPARING;
  if (child > 0 && count == 1 && byte == 0) {
    sigset_t blocked, before;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGINT);
    sigdelset(&blocked, SIGTERM);
    sigdelset(&blocked, SIGHUP);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    if (mlockall(MCL_CURRENT) != 0) {
      error = errno;
    } else {
      failed = CDM_DONE;
      error = 0;
      if (ioctl(control, DM_DEV_SUSPEND, &suspend) != 0) {
        failed = CDM_SUSPENDING;
        error = errno;
      } else if (ioctl(control, DM_TARGET_MSG, &message) != 0) {
        failed = CDM_MAKING;
        error = errno;
      } else if (ioctl(control, DM_DEV_STATUS, &status) != 0) {
        failed = CDM_RESUMED_BY_OTHERS;
        error = errno;
      } else if (!(status.head.flags & DM_SUSPEND_FLAG)) {
        failed = CDM_RESUMED_BY_OTHERS;
        error = EBUSY;
      }
      // Also after a failure: a device that is not suspended stays as it is.
      if (ioctl(control, DM_DEV_SUSPEND, &resume) != 0 && failed != CDM_SUSPENDING) {
        failed = CDM_RESUMING;
        error = errno;
      }
      munlockall();
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
  }
  // After a failed resume the child gets a second chance at it.
  if (failed != CDM_RESUMING) {
    byte = 1;
    while (write(alive[1], &byte, 1) < 0 && errno == EINTR) continue;
  }
  close(alive[1]);
  close(control);
  if (child > 0) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
  }
  errno = error;
  return failed;
}
