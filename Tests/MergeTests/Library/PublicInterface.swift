import Foundation

/// What a package that depends on the library can name, as the compiler tells it.
struct PublicInterface {
  /// The modules that were compiled together with the tests.
  static var modules: String {
    URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "Modules")
      .path(percentEncoded: false)
  }

  /// A line for each declaration: its full name, then how it is declared.
  let lines: [String]
  /// The names of those that no comment describes, but for those that the compiler makes itself.
  let undescribed: [String]

  init(symbolGraph path: String) throws {
    let graph = try JSONDecoder().decode(
      Graph.self, from: Data(contentsOf: URL(filePath: path)))
    lines = graph.symbols.map { symbol in
      let declaration = symbol.declarationFragments.map(\.spelling).joined()
      return "\(symbol.name): \(declaration.split { $0.isWhitespace }.joined(separator: " "))"
    }.sorted()
    undescribed = graph.symbols.filter { $0.docComment == nil && !$0.isMadeByTheCompiler }
      .map(\.name).sorted()
  }

  private struct Graph: Decodable {
    var symbols: [Symbol]
  }

  private struct Symbol: Decodable {
    struct Fragment: Decodable { var spelling: String }
    struct Comment: Decodable {}

    var pathComponents: [String]
    var declarationFragments: [Fragment]
    var docComment: Comment?

    var name: String { pathComponents.joined(separator: ".") }
    var isMadeByTheCompiler: Bool { pathComponents.last == "init(rawValue:)" }
  }
}
