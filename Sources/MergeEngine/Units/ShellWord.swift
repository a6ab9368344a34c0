/// Words of commands that people are told to type.
package enum ShellWord {
  /// The word as a shell passes it on unchanged, quoted only where it must be.
  package static func quoted(_ word: String) -> String {
    let plain = "_@%+=:,./-"
    let isPlain = word.unicodeScalars.allSatisfy { scalar in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9": true
      default: plain.unicodeScalars.contains(scalar)
      }
    }
    guard word.isEmpty || !isPlain else { return word }
    return "'"
      + word.split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "'\\''") + "'"
  }
}
