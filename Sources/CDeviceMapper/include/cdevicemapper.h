// libdevmapper for Swift, and the one step that may use nothing but system calls: a snapshot of a thin
// device that is in use, between suspend and resume.
#ifndef CDEVICEMAPPER_H
#define CDEVICEMAPPER_H

#include <libdevmapper.h>
#include <stdint.h>

// Keeps libdevmapper from saying on standard error what went wrong; its errno says it to us.
void cdm_silence(void);

// Opens device-mapper so that `cdm_has_changed` tells of what happens from now on; -1 with errno where that fails, as
// before Linux 4.13.
int cdm_watch_changes(void);

// Whether any mapped device was made, removed or renamed, or has had an event, since the descriptor was opened.
int cdm_has_changed(int watch);

// Where a snapshot failed. With CDM_RESUMED_BY_OTHERS it is made, of a device that was no longer suspended.
enum cdm_step {
  CDM_DONE,
  CDM_PREPARING,
  CDM_SUSPENDING,
  CDM_MAKING,
  CDM_RESUMED_BY_OTHERS,
  CDM_RESUMING
};

// Suspends `thin`, sends `text` to `pool`, asks whether `thin` is suspended still, and resumes it, whatever becomes
// of the message. Device numbers are in the kernel's 64-bit form. Returns where it failed, with errno: EINTR where a
// signal ended the suspend, ETIME where that took longer than 5 s.
//
// File systems are not frozen: one that is frozen may write when it is thawed, to a device that does not take it.
//
// The suspended device may carry the root file system: from suspend to resume nothing is done that
// could need a page, a file or a terminal. The memory is locked, the requests are made before, and a
// child of its own session, the watchdog, waits on a pipe to resume the device in case this process dies. A signal
// can end the suspend, and nothing after it; only SIGSTOP can stop the process in between. 10 s after the device was
// suspended the watchdog kills this process, and resumes the device.
enum cdm_step cdm_snapshot(uint64_t thin, uint64_t pool, const char *_Nonnull text);

#endif
