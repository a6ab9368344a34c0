/// Reports the progress of a merge from its journal.
struct StatusOperation {
  let environment: Environment

  /// Implements ``Merger/status(journalPath:)``.
  func status(journalPath: String) throws(MergeError) -> StatusReport {
    try status(of: environment.journals.file(journalPath))
  }

  /// Implements ``Merger/journals()``.
  func all() -> [JournalListing] {
    environment.journals.knownPaths().filter(FileSystem.exists).map { path in
      do throws(MergeError) {
        return JournalListing(path: path, status: try status(journalPath: path))
      } catch {
        return JournalListing(path: path, error: error)
      }
    }
  }

  private func status(of file: OpenFile) throws(MergeError) -> StatusReport {
    let isRunning = file.isLockedByAnother
    do throws(MergeError) {
      var reader = try environment.journals.reader(file)
      let state = try JournalState(reading: &reader, isBeingWritten: isRunning)
      return StatusReport(state, reader.header, isRunning: isRunning, journalPath: file.path)
    } catch {
      // A merge that has started in the meantime is appending to the journal, so the error does not
      // mean that the journal is damaged.
      guard !isRunning, file.isLockedByAnother else { throw error }
      return try status(of: file)
    }
  }
}

extension StatusReport {
  init(_ state: JournalState, _ header: JournalHeader, isRunning: Bool, journalPath: String) {
    let paths = state.lastAttempt
    self.init(
      state: State(state, isRunning: isRunning), doneByteCount: state.doneByteCount,
      totalByteCount: header.plannedByteCount, writingSeconds: state.writingSeconds,
      runCount: state.attemptCount, begunSeconds: header.madeSeconds,
      recordedSeconds: state.lastSeconds,
      finishedSeconds: state.isFinished ? state.finishedSeconds : nil,
      givenUp: state.givenUp,
      metadataPath: paths?.metadataPath ?? header.metadataPath,
      dataPath: paths?.dataPath ?? header.dataPath,
      originPath: paths?.originPath ?? header.originPath,
      originName: KnownVolume.fullName(
        path: paths?.originPath ?? header.originPath, identity: header.originIdentity),
      thinDeviceName: header.thinDeviceName, deviceID: header.deviceID,
      handover: state.handover, isHandedOver: state.isHandedOver,
      unreadable: state.unreadable.ranges, journalPath: journalPath)
  }
}

extension StatusReport.State {
  fileprivate init(_ state: JournalState, isRunning: Bool) {
    if isRunning {
      self = .running
    } else if state.givenUp != nil {
      self = .givenUp
    } else if state.isVerified {
      self = .verified
    } else {
      self = state.isFinished ? .finished : .stopped
    }
  }
}
