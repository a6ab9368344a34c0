import Foundation

/// The public declarations of the library, as listed in the compiler's symbol graph.
struct PublicInterface {
  /// The path of the folder that contains the modules compiled with the tests.
  static var modules: String {
    URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "Modules")
      .path(percentEncoded: false)
  }

  /// One line per public declaration, with its full name followed by the declaration itself.
  let lines: [String]
  /// The names of public declarations that have no doc comment, except compiler-generated ones.
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
