#define _GNU_SOURCE
#include "cdevicemapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void cdm_say_nothing(int level, const char *file, int line, int dm_errno,
                            const char *format, ...) {
  (void)level, (void)file, (void)line, (void)dm_errno, (void)format;
}

void cdm_silence(void) { dm_log_with_errno_init(cdm_say_nothing); }

// A request to /dev/mapper/control, with room for a message to a target.
struct cdm_request {
  struct dm_ioctl head;
  // struct dm_target_msg, whose text has no declared length.
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

int cdm_watch_changes(void) {
  int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (control < 0) return -1;
  struct cdm_request arm;
  cdm_prepare(&arm, 0, 0);
  // dm-ioctl.c, dm_open: opening reads the event count of that moment; DM_DEV_ARM_POLL reads it
  // again.
  if (ioctl(control, DM_DEV_ARM_POLL, &arm) != 0) {
    int error = errno;
    close(control);
    errno = error;
    return -1;
  }
  return control;
}

int cdm_has_changed(int watch) {
  struct pollfd change = {.fd = watch, .events = POLLIN};
  return poll(&change, 1, 0) != 0;
}

// Limit on the wait for I/O in flight during the suspend, when nobody can write to the device.
static const int cdm_suspend_seconds_max = 5;
// Limit on the suspend, and then on all steps up to the resume, before the watchdog kills the tool.
static const int cdm_suspended_seconds_max = 10;
// Time that the watchdog waits for the death of a tool that it has killed.
static const int cdm_death_seconds_max = 10;

static int64_t cdm_now_milliseconds(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static ssize_t cdm_read_byte(int pipe_end, char *_Nonnull byte) {
  ssize_t count;
  while ((count = read(pipe_end, byte, 1)) < 0 && errno == EINTR) continue;
  return count;
}

// News of the tool for the watchdog: nothing in time, the end of the pipe, or a byte.
enum cdm_news { CDM_SILENCE = -1, CDM_END, CDM_WILL_SUSPEND, CDM_HAS_SUSPENDED, CDM_HAS_RESUMED };

static enum cdm_news cdm_hear(int pipe_end, int seconds_max) {
  const int64_t deadline = cdm_now_milliseconds() + seconds_max * INT64_C(1000);
  for (;;) {
    const int64_t left = deadline - cdm_now_milliseconds();
    struct pollfd heard = {.fd = pipe_end, .events = POLLIN};
    const int count = poll(&heard, 1, left > 0 ? (int)left : 0);
    char byte = 0;
    if (count > 0) return cdm_read_byte(pipe_end, &byte) == 1 ? (enum cdm_news)byte : CDM_END;
    if (count < 0 ? errno != EINTR : left <= 0) return CDM_SILENCE;
  }
}

static bool cdm_write_byte(int pipe_end, char byte) {
  ssize_t count;
  while ((count = write(pipe_end, &byte, 1)) < 0 && errno == EINTR) continue;
  return count == 1;
}

// Tells the watchdog how far the tool has come; false if the watchdog is dead. SIGPIPE is blocked.
static bool cdm_tell_watchdog(int alive, enum cdm_news news) {
  if (cdm_write_byte(alive, (char)news)) return true;
  sigset_t broken;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  const struct timespec at_once = {0};
  sigtimedwait(&broken, NULL, &at_once);
  return false;
}

// The tool, as its watchdog knows it.
struct cdm_tool {
  pid_t pid;
  // -1 if the kernel has no pidfds (before 5.3).
  int pidfd;
};

static void cdm_kill(const struct cdm_tool *_Nonnull tool) {
  if (tool->pidfd >= 0 &&
      syscall(SYS_pidfd_send_signal, tool->pidfd, SIGKILL, NULL, 0) == 0) return;
  // By number only while the tool is still the parent; the number may be another process's by now.
  if (getppid() == tool->pid) kill(tool->pid, SIGKILL);
}

// The watchdog, in a process of its own, which makes only calls that are safe after fork in any
// program.
//
// The watchdog receives one byte before the suspend, one after it, and one after the resume; end of
// file on the pipe means that the tool has died. A tool that lives but makes no progress (SIGSTOP)
// is killed before the device is resumed. Otherwise the tool could take its snapshot of a device
// that is being written to, and then merge that snapshot.
//
// A tool that waits in the kernel for a disk (state D) does not die at once. It can no longer
// return from that call to its own code, so it never records the snapshot as made, and the next run
// deletes the snapshot that the call may still create. The device is therefore resumed after
// cdm_death_seconds_max in any case: its users must not wait for that disk too.
static _Noreturn void cdm_watch(const struct cdm_tool *_Nonnull tool, int alive, int ready,
                                int control, struct cdm_request *_Nonnull resume) {
  setsid();
  // The watchdog's report: 0, or the errno that makes it unreliable.
  char byte = mlockall(MCL_CURRENT) == 0 ? 0 : (char)errno;
  if (!cdm_write_byte(ready, byte) || byte != 0) _exit(1);
  if (cdm_read_byte(alive, &byte) != 1) _exit(0);
  enum cdm_news news = cdm_hear(alive, cdm_suspended_seconds_max);
  // A slow suspend leaves the snapshot as much time as a fast one.
  if (news == CDM_HAS_SUSPENDED) news = cdm_hear(alive, cdm_suspended_seconds_max);
  if (news == CDM_SILENCE) {
    cdm_kill(tool);
    do news = cdm_hear(alive, cdm_death_seconds_max);
    while (news == CDM_HAS_SUSPENDED);
  }
  if (news == CDM_HAS_RESUMED) _exit(0);
  _exit(ioctl(control, DM_DEV_SUSPEND, resume) == 0 ? 0 : 1);
}

static volatile sig_atomic_t cdm_suspend_time_is_over;
static void cdm_end_suspend(int signal) {
  (void)signal;
  cdm_suspend_time_is_over = 1;
}

// Suspends a device; errno is ETIME on timeout. Every signal is blocked before and after.
static int cdm_suspend(int control, struct cdm_request *_Nonnull suspend) {
  // The signal goes to this thread, since a signal to another would not end the call. It repeats
  // because the first may arrive before the call.
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
  event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
  const struct itimerspec time = {.it_value.tv_sec = cdm_suspend_seconds_max,
                                  .it_interval.tv_nsec = 100000000};
  struct sigaction action = {.sa_handler = cdm_end_suspend}, action_before;
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return -1;
  cdm_suspend_time_is_over = 0;
  sigaction(SIGALRM, &action, &action_before);
  sigset_t open, before;
  sigemptyset(&open);
  sigaddset(&open, SIGALRM);
  sigaddset(&open, SIGINT);
  sigaddset(&open, SIGTERM);
  sigaddset(&open, SIGHUP);
  timer_settime(timer, 0, &time, NULL);
  sigprocmask(SIG_UNBLOCK, &open, &before);
  int result = ioctl(control, DM_DEV_SUSPEND, suspend);
  int error = errno;
  timer_delete(timer);
  sigprocmask(SIG_SETMASK, &before, NULL);
  sigaction(SIGALRM, &action_before, NULL);
  errno = error == EINTR && cdm_suspend_time_is_over ? ETIME : error;
  return result;
}

enum cdm_step cdm_snapshot(uint64_t thin, uint64_t pool, const char *_Nonnull text) {
  struct cdm_request suspend, message, status, resume;
  if (strlen(text) >= sizeof message.text) {
    errno = EINVAL;
    return CDM_PREPARING;
  }
  cdm_prepare(&suspend, thin, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG);
  cdm_prepare(&message, pool, 0);
  strcpy(message.text, text);
  cdm_prepare(&status, thin, 0);
  cdm_prepare(&resume, thin, 0);

  int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (control < 0) return CDM_PREPARING;
  // Programs that other threads start must not inherit these descriptors.
  int alive[2], ready[2];
  if (pipe2(alive, O_CLOEXEC) != 0) {
    close(control);
    return CDM_PREPARING;
  }
  if (pipe2(ready, O_CLOEXEC) != 0) {
    close(control), close(alive[0]), close(alive[1]);
    return CDM_PREPARING;
  }
  struct cdm_tool tool = {.pid = getpid()};
  tool.pidfd = (int)syscall(SYS_pidfd_open, tool.pid, 0);

  // The watchdog keeps all signals blocked for its whole life.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  pid_t child = fork();
  if (child == 0) {
    close(alive[1]);
    close(ready[0]);
    cdm_watch(&tool, alive[0], ready[1], control, &resume);
  }
  int error = errno;
  close(alive[0]);
  close(ready[1]);
  bool is_watched = false;
  if (child > 0) {
    char byte = 0;
    ssize_t count = cdm_read_byte(ready[0], &byte);
    is_watched = count == 1 && byte == 0;
    error = count == 1 ? byte : EPIPE;
  }
  close(ready[0]);

  enum cdm_step failed = CDM_PREPARING;
  bool has_begun = false;
  int resume_error = 0;
  if (is_watched && mlockall(MCL_CURRENT) != 0) {
    error = errno;
  } else if (is_watched) {
    has_begun = cdm_tell_watchdog(alive[1], CDM_WILL_SUSPEND);
    if (!has_begun) {
      error = EPIPE;
    } else {
      failed = CDM_DONE;
      error = 0;
      if (cdm_suspend(control, &suspend) != 0) {
        failed = CDM_SUSPENDING;
        error = errno;
        // This write needs no memory: the pipe has had a page since the first byte.
      } else if (!cdm_tell_watchdog(alive[1], CDM_HAS_SUSPENDED)) {
        failed = CDM_PREPARING;
        error = EPIPE;
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
      // Also after a failure: resuming a device that is not suspended changes nothing.
      if (ioctl(control, DM_DEV_SUSPEND, &resume) != 0 && failed != CDM_SUSPENDING) {
        resume_error = errno;
      }
    }
    munlockall();
  }
  // After a failed resume the watchdog tries once more.
  if (has_begun && resume_error == 0) cdm_tell_watchdog(alive[1], CDM_HAS_RESUMED);
  close(alive[1]);
  close(control);
  if (tool.pidfd >= 0) close(tool.pidfd);
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (child > 0) {
    int end = 0;
    pid_t ended;
    while ((ended = waitpid(child, &end, 0)) < 0 && errno == EINTR) continue;
    if (ended == child && end == 0) resume_error = 0;
  }
  errno = resume_error != 0 ? resume_error : error;
  return resume_error != 0 ? CDM_RESUMING : failed;
}
