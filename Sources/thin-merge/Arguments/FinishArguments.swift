internal import ArgumentParser

/// The handover of LVM's volumes after a merge is finished.
struct FinishArguments: ParsableArguments {
  @Flag(
    help: "Then compare everything, remove the thin volume, and make the origin an ordinary volume."
  )
  var finish = false

  @Flag(help: "With --finish: rename the origin to the thin volume's name.")
  var rename = false

  /// The words that give the command the same options again.
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
