// Merges a thin device from a pool stored in two files onto a third file, the image of the device's
// external origin. If the program was stopped, running it again resumes the merge.
//
//     swift run --package-path Examples/merge-two-files merge-two-files METADATA DATA DEV-ID ORIGIN

import Foundation
import MergeEngine

let words = CommandLine.arguments
guard words.count == 5, let deviceID = UInt32(words[3]) else {
  print("usage: merge-two-files METADATA DATA DEV-ID ORIGIN")
  exit(64)
}
let (metadataPath, dataPath, originPath) = (words[1], words[2], words[4])

let interruption = Interruption()
for number in [SIGINT, SIGTERM, SIGHUP] {
  signal(number) { number in
    interruption.request()
    // A lost connection sends SIGHUP more than once; only a second Ctrl-C ends the process.
    if number == SIGINT { signal(number, SIG_DFL) }
  }
}
signal(SIGXFSZ, SIG_IGN)
let environment = Environment(interruption: interruption, observer: PrintedProgress())

do throws(MergeError) {
  let source = MergeSource(
    metadataPath: metadataPath, dataPath: dataPath, deviceID: deviceID, mappings: .inactivePool)
  let report = try Merger(environment: environment).merge(source, onto: originPath)
  switch report.state {
  case .finished:
    print("finished: \(report.writtenByteCount) of \(report.plan.byteCount) bytes written now")
  case .stopped(let error):
    print("stopped; run it again to resume: \(error.message)")
    exit(3)
  }
} catch {
  print(advice(on: error))
  exit(exitStatus(of: error))
}
