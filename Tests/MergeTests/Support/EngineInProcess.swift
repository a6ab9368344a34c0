import Foundation
import MergeEngine

@testable import thin_merge

/// Calls the engine as the command does, but within the test process.
enum EngineInProcess {
  /// The command's would-be exit status, with the error message or the state in the report.
  struct Outcome {
    var exitStatus: Int32
    var message: String
  }

  private struct NullObserver: MergeObserver {
    var answer: @Sendable () -> Bool

    func note(_ note: MergeNote) {}
    func progress(_ progress: MergeProgress) {}
    func approve(_ plan: PlanReport) -> Bool { answer() }
  }

  static var merger: Merger { merger { true } }

  private static func merger(answer: @escaping @Sendable () -> Bool) -> Merger {
    Merger(
      environment: Environment(
        stateFolder: "/nonexistent", observer: NullObserver(answer: answer)))
  }

  /// Runs a merge, and retries for a while if a file is locked.
  ///
  /// A program that another test is starting briefly holds copies of this process's descriptors,
  /// and with those copies the locks of a merge that has already finished.
  ///
  /// - `answer`: whether the merge may write; the question is asked after planning.
  static func merge(
    _ source: MergeSource, onto originPath: String, options: MergeOptions = MergeOptions(),
    answer: @escaping @Sendable () -> Bool = { true }
  ) throws -> Outcome {
    var outcome = Outcome(exitStatus: ExitStatus.busy.rawValue, message: "")
    // A test that expects a locked file gets the outcome of the last attempt.
    _ = poll {
      outcome = mergeOnce(source, onto: originPath, options: options, answer: answer)
      return outcome.exitStatus != ExitStatus.busy.rawValue
    }
    return outcome
  }

  private static func mergeOnce(
    _ source: MergeSource, onto originPath: String, options: MergeOptions,
    answer: @escaping @Sendable () -> Bool
  ) -> Outcome {
    do throws(MergeError) {
      let report = try merger(answer: answer).merge(source, onto: originPath, options: options)
      return Outcome(exitStatus: ExitStatus(report).rawValue, message: "\(report.state)")
    } catch {
      return Outcome(exitStatus: Failure(error).exitStatus.rawValue, message: error.message)
    }
  }
}
