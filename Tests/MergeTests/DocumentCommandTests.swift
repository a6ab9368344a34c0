import Foundation
import Testing

@testable import thin_merge

@Suite("Documents: commands and quoted messages", .waitsForPrograms)
struct DocumentCommandTests {
  /// The document that quotes error messages.
  private static let quoting = "docs/troubleshooting.md"

  /// Compares the quoted messages with the message catalog, or, with THIN_MERGE_RECORD=1, rewrites
  /// them.
  ///
  /// The fence of a code block names an error code and the index of a catalog message with that
  /// code, 1 by default. The block quotes as many of the message's first lines as it has lines.
  @Test("docs/troubleshooting.md quotes messages exactly as in Tests/Messages.txt")
  func quotes() throws {
    let messages = try RecordedMessages()
    var lines = try Page(Self.quoting).text.components(separatedBy: "\n")
    var count = 0
    var index = 0
    while index < lines.count {
      defer { index += 1 }
      guard lines[index].hasPrefix("```message") else { continue }
      let fence = try #require(
        lines[index].wholeMatch(of: #/```message ([a-z-]+)(?: (\d+))?/#), "\(lines[index])")
      let end = try #require(lines[index...].firstIndex(of: "```"))
      let texts = messages.lines(ofCode: String(fence.output.1))
      let number = fence.output.2.flatMap { Int($0) } ?? 1
      let text = try #require(texts.dropFirst(number - 1).first, "\(lines[index])")
      let quote = index + 1..<end
      #expect(!quote.isEmpty && quote.count <= text.count, "\(lines[index])")
      lines.replaceSubrange(quote, with: text.prefix(quote.count))
      count += 1
    }
    #expect(count > 50)
    try RecordedText.expect(lines.joined(separator: "\n"), in: Self.quoting)
  }

  @Test("the parser accepts every thin-merge command in the documents")
  func commandsAreTaken() throws {
    var verbs: Set<String> = []
    for page in try Page.all() {
      for command in page.commands {
        if let verb = try TypedScript.expectAccepted(command, in: page.path) { verbs.insert(verb) }
      }
    }
    #expect(verbs.subtracting(["help"]) == Set(ThinMerge.verbs))
  }

  @Test("the commands on image files in each document succeed when run in order", .needsZstd)
  func imageCommands() throws {
    var count = 0
    for page in try Page.all() {
      let commands = page.setOffCommands.filter { $0.contains(".img") }
      guard !commands.isEmpty else { continue }
      let folder = try MergeCase(kernel: "snapshots").folder
      // The documents use either of two pairs of file names.
      try Program.mustRun("cp", folder.path("metadata.img"), folder.path("meta.img"))
      try Program.mustRun("cp", folder.path("origin.img"), folder.path("base.img"))
      for command in commands {
        let result = try TypedScript.run(command, in: folder)
        #expect(result.exitStatus == 0, "\(page.path): \(command)\n\(result.standardError)")
        count += 1
      }
    }
    #expect(count >= 2)
  }
}
