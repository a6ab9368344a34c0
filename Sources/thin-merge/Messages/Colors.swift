internal import ArgumentParser

/// The choice of when to color text.
enum ColorMode: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// Color on a terminal, unless `NO_COLOR` is set.
  case auto
  case always
  case never
}

/// The colors to use in text for a terminal, which may be none.
///
/// Colors only emphasize what the words say; nothing is expressed by color alone.
struct Colors: Equatable, Sendable {
  private let isOn: Bool

  static let none = Colors(isOn: false)
  static let ansi = Colors(isOn: true)

  /// Returns the colors to use for a stream.
  ///
  /// `NO_COLOR` turns colors off unless it is empty (no-color.org).
  static func chosen(
    _ mode: ColorMode, isTerminal: Bool, variables: [String: String]
  ) -> Colors {
    switch mode {
    case .always: ansi
    case .never: none
    case .auto:
      isTerminal && ProcessEnvironment.terminalIsCapable(variables: variables)
        && (variables["NO_COLOR"] ?? "").isEmpty ? ansi : none
    }
  }

  func heading(_ text: String) -> String { colored(text, "1") }
  func error(_ text: String) -> String { colored(text, "1;31") }
  func note(_ text: String) -> String { colored(text, "33") }
  func hint(_ text: String) -> String { colored(text, "36") }

  /// Returns the text between the ECMA-48 codes that begin and end a rendition.
  private func colored(_ text: String, _ code: String) -> String {
    isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}
