internal import ArgumentParser
internal import MergeEngine

/// One run of the command, from its arguments to its exit status.
struct Invocation {
  /// The words typed after the command's name.
  let arguments: [String]

  /// Runs the command that the arguments name and returns its exit status.
  func exitStatus() -> ExitStatus {
    let messages = Messages(askedIn: arguments)
    // For an unknown verb, the parser's own `help` command shows the help for the whole command.
    if arguments.first == "help", let verb = arguments.dropFirst().first(where: { $0 != "help" }),
      !verb.hasPrefix("-"), !ThinMerge.verbs.contains(verb)
    {
      return fail(.noVerb(verb), messages)
    }
    do {
      var command = try ThinMerge.checked(arguments)
      guard let verb = command as? any Verb else {
        try command.run()
        return .done
      }
      return try perform(verb)
    } catch let error as MergeError {
      return fail(Failure(error), messages)
    } catch let failure as Failure {
      return fail(failure, messages)
    } catch {
      return answer(error, messages)
    }
  }

  private func perform(_ verb: any Verb) throws -> ExitStatus {
    let messages = Messages(verb)
    let display = ProgressDisplay(verb.progressMode, messages: messages)
    let outcome: Outcome
    do {
      let session = Session(display: display, verbosity: verb.outputOptions.verbosity)
      defer { session.volumes.end() }
      outcome = try verb.perform(in: session)
    } catch {
      display.finish(isDone: false)
      throw error
    }
    display.finish(isDone: outcome.exitStatus == .done)
    let isDone = outcome.exitStatus == .done
    let isPrinted =
      !isDone || verb.onlyReports || verb.outputFormat == .json
      || verb.outputOptions.verbosity > .quiet
    let delivered =
      isPrinted
      ? deliver(outcome.report, messages, lost: isDone ? .reportLost : outcome.exitStatus) : .done
    if let failure = outcome.failure { messages.failure(failure) }
    return outcome.exitStatus == .done ? delivered : outcome.exitStatus
  }

  // Writes the report. It is not a failure if the reader closes the pipe early, but a full disk is
  // one.
  //
  // `lost`: the exit status if the report is lost.
  private func deliver(
    _ report: String, _ messages: Messages, lost: ExitStatus = .reportLost
  ) -> ExitStatus {
    StandardStream.output.write(report)
    switch StandardStream.output.waitUntilWritten(while: EndPatience.ofReports()) {
    case .written: return .done
    case .failed(let number) where StandardStream.isNobodyReading(number): return .done
    case .failed(let number):
      return fail(.reportLost(lost, because: StandardStream.reason(number)), messages)
    case .notRead:
      return fail(
        .reportLost(lost, because: "nothing read it, and a signal arrived"), messages)
    }
  }

  private func fail(_ failure: Failure, _ messages: Messages) -> ExitStatus {
    messages.failure(failure)
    return failure.exitStatus
  }

  // Handles an error from the argument parser, which is either a request for help or a mistake in
  // the arguments.
  private func answer(_ error: any Error, _ messages: Messages) -> ExitStatus {
    guard ThinMerge.exitCode(for: error) != .success else {
      var text = ThinMerge.fullMessage(for: error)
      if arguments.first?.hasPrefix("--generate-completion-script") == true {
        text = CompletionScript.mended(text)
      }
      return deliver(text.hasSuffix("\n") ? text : text + "\n", messages)
    }
    guard ThinMerge.exitCode(for: error) == .validationFailure else {
      return fail(.bug(ThinMerge.message(for: error)), messages)
    }
    let message = ThinMerge.message(for: error)
    guard let verb = arguments.first, !verb.hasPrefix("-") else {
      return fail(.usage(message.asSentencePart, hint: Self.help(of: nil)), messages)
    }
    guard ThinMerge.verbs.contains(verb) else {
      return fail(.noVerb(verb), messages)
    }
    return fail(
      .usage(message.asSentencePart, hint: Self.help(of: verb)), messages)
  }

  /// Returns a hint that refers to the help for a verb, or for the whole command.
  fileprivate static func help(of verb: String?) -> String {
    "show the help with".above(
      (["thin-merge"] + (verb.map { [$0] } ?? []) + ["--help"]).joined(separator: " "))
  }
}

extension Failure {
  fileprivate static func noVerb(_ verb: String) -> Failure {
    let known = ThinMerge.verbs + ["help", "--version"]
    let nearest = known.min { verb.editDistance(to: $0) < verb.editDistance(to: $1) }
    let advice =
      if let nearest, verb.isNear(nearest, letterCount: verb.count) {
        "did you mean '\(nearest)'?"
      } else {
        "the commands are \(ThinMerge.verbs.joined(separator: ", "))"
      }
    return .usage("there is no command '\(verb)'; \(advice)", hint: Invocation.help(of: nil))
  }
}

extension String {
  /// The parser's message as part of a sentence, suitable after a colon.
  fileprivate var asSentencePart: String {
    var text = self
    let choice = ". Please provide one of "
    if text.contains(choice), text.hasSuffix(".") {
      text = String(text.dropLast()).replacing(choice, with: ": expected one of ")
    }
    text = text.withoutFarSuggestion
    guard let first = text.first, text.dropFirst().first?.isLowercase == true else { return text }
    return first.lowercased() + text.dropFirst()
  }

  /// The text, minus the parser's suggestion for an unknown option if the suggestion is too
  /// different from that option.
  private var withoutFarSuggestion: String {
    let question = ". Did you mean '"
    guard let place = firstRange(of: question), hasSuffix("'?") else { return self }
    let suggested = self[place.upperBound...].dropLast(2)
    let sentence = self[..<place.lowerBound]
    let typed = sentence.drop { $0 != "'" }.dropFirst().dropLast()
    let letterCount = typed.drop { $0 == "-" }.count
    guard typed.isNear(suggested, letterCount: letterCount) else { return String(sentence) }
    return "\(sentence): did you mean '\(suggested)'?"
  }
}

extension StringProtocol {
  /// Returns true if a typed word is so similar to a known one that it is probably a misspelling:
  /// at most one edit for every three letters.
  fileprivate func isNear(_ known: some StringProtocol, letterCount: Int) -> Bool {
    editDistance(to: known) * 3 <= letterCount
  }

  /// Returns the Levenshtein distance to `other`: the minimum number of letters to insert, delete
  /// or replace.
  fileprivate func editDistance(to other: some StringProtocol) -> Int {
    var distances = Array(0...other.count)
    for (row, letter) in enumerated() {
      var above = distances[0]
      distances[0] = row + 1
      for (column, otherLetter) in other.enumerated() {
        let exchanged = above + (letter == otherLetter ? 0 : 1)
        above = distances[column + 1]
        distances[column + 1] = Swift.min(exchanged, above + 1, distances[column] + 1)
      }
    }
    return distances[other.count]
  }
}
