internal import ArgumentParser

/// Options for handing over LVM volumes after a merge is finished.
struct FinishArguments: ParsableArguments {
  @Flag(
    help: "Then compare everything, remove the thin volume, and make the origin an ordinary volume."
  )
  var finish = false

  @Flag(help: "With --finish: rename the origin to the thin volume's name.")
  var rename = false

  /// The command-line words that specify the same options.
  var words: [String] {
    [(finish, "--finish"), (rename, "--rename")].filter(\.0).map(\.1)
  }

  func validate() throws {
    guard !rename || finish else {
      throw ValidationError(
        "--rename needs --finish, which first removes the thin volume of that name")
    }
  }
}
