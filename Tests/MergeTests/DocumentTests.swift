import Foundation
import Testing

/// A documentation page in the package.
struct Page {
  /// The path of the page, relative to the package folder.
  let path: String
  let text: String

  init(_ path: String) throws {
    self.path = path
    text = try String(contentsOfFile: PackageFolder.path(path), encoding: .utf8)
  }

  /// The text of each inline code span, and each line of each code block.
  var code: [String] {
    text.matches(of: #/`([^`\n]+)`/#).map { String($0.output.1) }
      + text.split(separator: "\n").filter { $0.hasPrefix("    ") }.map { String($0.dropFirst(4)) }
  }

  /// The lines of all code blocks except quoted messages.
  ///
  /// A continued command counts as one line.
  private var setOffLines: [String] {
    var fence: Substring?
    return text.replacing(#/\\\n */#, with: "").split(separator: "\n").compactMap { line in
      if line.hasPrefix("```") {
        fence = fence == nil ? line.dropFirst(3) : nil
        return nil
      }
      if let fence { return fence.hasPrefix("message") ? nil : String(line) }
      return line.hasPrefix("    ") ? String(line.dropFirst(4)) : nil
    }
  }

  /// The `thin-merge` commands in code blocks, without comments.
  var setOffCommands: [String] { setOffLines.compactMap(Self.command) }

  /// The `thin-merge` commands in code blocks, plus inline commands that have arguments.
  var commands: [String] {
    setOffCommands
      + text.matches(of: #/`(thin-merge [^`\n]+ [^`\n]+)`/#).map { String($0.output.1) }
  }

  /// Returns the `thin-merge` command in a line of code, up to a comment or another command.
  private static func command(in line: String) -> String? {
    line.firstMatch(
      of: #/^(?:.*(?:[ =]|\/s?bin\/))?(thin-merge +.+?)(?: +(?:#|&&|\||;|>|2>).*)?$/#
    ).map { String($0.output.1) }
  }

  /// The targets of the page's links within the package, as paths relative to the package folder.
  var links: [String] {
    let targets =
      text.matches(of: #/\]\(([^)\s]+)\)/#).map { String($0.output.1) }
      + text.matches(of: #/(?m)^\[[^\]]+\]: (\S+)$/#).map { String($0.output.1) }
    let folder = path.contains("/") ? path.prefix { $0 != "/" } + "/" : ""
    return targets.filter { !$0.contains("://") && !$0.hasPrefix("#") }
      .map { folder + $0.prefix { $0 != "#" } }
  }

  static func all() throws -> [Page] {
    let inDocs = try FileManager.default.contentsOfDirectory(atPath: PackageFolder.path("docs"))
      .filter { $0.hasSuffix(".md") }.sorted().map { "docs/" + $0 }
    return try (["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Benchmarks/README.md"] + inDocs)
      .map(Page.init)
  }
}

@Suite("Tidiness: references in the documentation")
struct DocumentTests {
  @Test("links to places in the package resolve")
  func links() throws {
    let pages = try Page.all()
    #expect(pages.flatMap(\.links).count > 10)
    for page in pages {
      let dead = page.links.filter { !isThere($0) }
      #expect(dead == [], "\(page.path)")
    }
  }

  @Test("files and folders that the documents name exist")
  func paths() throws {
    let pages = try Page.all()
    let folders = "Sources|Tests|docs|scripts|Fuzz|Benchmarks|Examples|man|packaging|\\.ci"
    let path = try Regex("(?:^|\\s)((?:\(folders))/[\\w./+@-]*)", as: (Substring, Substring).self)
    var found = 0
    for page in pages {
      let named = page.code.flatMap { $0.matches(of: path).map { String($0.output.1) } }
      found += named.count
      #expect(named.filter { !isThere($0) } == [], "\(page.path)")
    }
    #expect(found > 25)
  }

  @Test("every make target that the documents name exists")
  func targets() throws {
    let makefile = try Page("Makefile")
    let targets = Set(
      makefile.text.matches(of: #/(?m)^([a-z-]+):.*## /#).map { String($0.output.1) })
    #expect(targets.count > 15)
    for page in try Page.all() {
      let named = page.code.compactMap { $0.prefixMatch(of: #/make ([a-z-]+)/#) }
        .map { String($0.output.1) }
      #expect(named.filter { !targets.contains($0) } == [], "\(page.path)")
    }
  }

  @Test("the README links to every page")
  func everyPage() throws {
    let readme = try Page("README.md")
    let pages = try Page.all().map(\.path).filter { $0 != "README.md" }
    #expect(Set(pages).subtracting(readme.links) == [])
  }

  @Test(
    "types and suites that the documents name are declared",
    arguments: ["docs/architecture.md", "docs/reliability.md"])
  func types(path: String) throws {
    let page = try Page(path)
    let declared = try declaredTypes()
    let named = page.code.filter { $0.contains(#/^[A-Z][a-z]\w*[A-Z]\w*$|^[A-Z][a-z]+s?$/#) }
    // These names are modules, not types.
    let modules: Set = ["MergeEngine", "FoundationEssentials", "CDeviceMapper"]
    #expect(named.count > 15)
    #expect(Set(named).subtracting(declared).subtracting(modules) == [])
  }

  private func isThere(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: PackageFolder.path(path))
  }

  private func declaredTypes() throws -> Set<String> {
    var types: Set<String> = []
    for folder in ["Sources", "Tests"] {
      let root = PackageFolder.path(folder)
      let names = try FileManager.default.subpathsOfDirectory(atPath: root)
      for name in names where name.hasSuffix(".swift") {
        let text = try String(contentsOfFile: root + "/" + name, encoding: .utf8)
        for match in text.matches(of: #/\b(?:struct|class|enum|protocol) ([A-Z]\w+)/#) {
          types.insert(String(match.output.1))
        }
      }
    }
    return types
  }
}
