import Foundation
import Testing

/// The library's documentation catalog and the example program that its pages quote.
private enum Catalogue {
  static let folder = PackageFolder.path("Sources/MergeEngine/MergeEngine.docc")
  static let example = PackageFolder.path("Examples/merge-two-files/Sources/merge-two-files")

  /// Returns the lines of each Swift code block in the documentation catalog, with the name of its
  /// page.
  static func codeBlocks() throws -> [(page: String, lines: [String])] {
    try files(in: folder, ending: ".md").flatMap { page, lines in
      let fences = lines.indices.filter { lines[$0].hasPrefix("```") }
      return stride(from: 0, to: fences.count - 1, by: 2)
        .filter { lines[fences[$0]] == "```swift" }
        .map { (page, Array(lines[(fences[$0] + 1)..<fences[$0 + 1]])) }
    }
  }

  /// Returns true if the example program contains these consecutive lines, at any indentation.
  static func exampleHas(_ block: [String]) throws -> Bool {
    try files(in: example, ending: ".swift").contains { _, lines in
      lines.indices.contains { start in
        let part = lines[start...].prefix(block.count)
        let indentation = part.first?.prefix { $0 == " " } ?? ""
        return part.map { $0.isEmpty ? $0 : String($0.dropFirst(indentation.count)) } == block
          && part.allSatisfy { $0.isEmpty || $0.hasPrefix(indentation) }
      }
    }
  }

  private static func files(
    in folder: String, ending: String
  ) throws -> [(name: String, lines: [String])] {
    try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(ending) }
      .sorted().map { name in
        let text = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
        return (
          name, text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        )
      }
  }
}

@Suite("Library: documentation", .waitsForPrograms)
struct DocumentationTests {
  @Test("every Swift code block in the documentation catalog is part of the example program")
  func examplesAreCompiled() throws {
    let blocks = try Catalogue.codeBlocks()
    #expect(Set(blocks.map(\.page)).count == 3)
    for block in blocks {
      #expect(try Catalogue.exampleHas(block.lines), "\(block.page): \(block.lines)")
    }
  }

  @Test("the first merge example in the documentation is ten lines long")
  func tenLines() throws {
    let first = try #require(try Catalogue.codeBlocks().first { $0.page == "MergeTwoFiles.md" })
    #expect(first.lines.count == 10)
  }

  @Test(
    "the documentation builds without warnings, and public declarations are documented and recorded"
  )
  func interface() throws {
    let folder = try TemporaryFolder()
    let result = try ChildProcess(
      [PackageFolder.path("scripts/docs"), folder.path("docs")],
      environment: ["MODULES": PublicInterface.modules]
    ).wait()
    try #require(result.exitStatus == 0, "\(result.standardOutput)\(result.standardError)")
    let interface = try PublicInterface(
      symbolGraph: folder.path("docs/symbols/MergeEngine.symbols.json"))
    #expect(interface.undescribed == [])

    let recordedPath = PackageFolder.path("Tests/PublicInterface.txt")
    let recorded = try String(contentsOfFile: recordedPath, encoding: .utf8)
      .split(separator: "\n").map(String.init)
    let difference = interface.lines.difference(from: recorded).map { change in
      switch change {
      case .insert(_, let line, _): "+ " + line
      case .remove(_, let line, _): "- " + line
      }
    }
    #expect(difference == [], "where this is meant, \(recordedPath) is changed with it")
  }
}
