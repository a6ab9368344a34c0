// libdevmapper for Swift, and the one step that may use nothing but system calls: a snapshot of a
// thin device in use, made between suspend and resume.
#ifndef CDEVICEMAPPER_H
#define CDEVICEMAPPER_H

#include <libdevmapper.h>
#include <stdint.h>

// Stops libdevmapper from printing errors to standard error; callers use its errno instead.
void cdm_silence(void);

// Opens a descriptor for `cdm_has_changed` that reports changes from now on. Returns -1 with errno
// on failure, as before Linux 4.13.
int cdm_watch_changes(void);

// Returns nonzero if any mapped device was created, removed or renamed, or has had an event, since
// the descriptor was opened.
int cdm_has_changed(int watch);

// The step where a snapshot failed. CDM_RESUMED_BY_OTHERS means that the snapshot was made, but
// that its device was no longer suspended or could not be checked.
enum cdm_step {
  CDM_DONE,
  CDM_PREPARING,
  CDM_SUSPENDING,
  CDM_MAKING,
  CDM_RESUMED_BY_OTHERS,
  CDM_RESUMING
};

// Suspends `thin`, sends `text` to `pool`, checks that `thin` is still suspended, and resumes it,
// even if the message fails. Device numbers have the kernel's 64-bit form. Returns the step that
// failed, with errno: EINTR if a signal ended the suspend, ETIME if it took longer than 5 seconds.
//
// File systems are not frozen: a frozen file system may write when it is thawed, to a device that
// does not accept the write.
//
// The suspended device may contain the root file system, so nothing between suspend and resume may
// need a page, a file or a terminal. Memory is locked, the requests are built in advance, and a
// child in its own session, the watchdog, waits on a pipe to resume the device if this process
// dies. A signal can interrupt the suspend but nothing after it; only SIGSTOP can stop the process
// in between. The watchdog kills this process 10 s after the device was suspended, and resumes the
// device.
enum cdm_step cdm_snapshot(uint64_t thin, uint64_t pool, const char *_Nonnull text);

#endif
