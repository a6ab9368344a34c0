internal import ArgumentParser

/// The layout of a report for people, or JSON.
struct ReportStyle {
  var format = OutputFormat.text
  /// The columns at which lines wrap; nil for lines of any length.
  var columnCount: Int?
  /// True if the report includes details that only few readers need.
  var showsDetails = false
  var colors = Colors.none

  /// Lines of any length, without color and details.
  static let plain = ReportStyle()
}

/// The choice to color text.
enum ColorMode: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// Color on a terminal, unless `NO_COLOR` is set.
  case auto
  case always
  case never
}

/// The colors of a terminal, or none.
///
/// Colors repeat what the words say: no fact is given by color alone.
struct Colors: Equatable, Sendable {
  private let isOn: Bool

  static let none = Colors(isOn: false)
  static let ansi = Colors(isOn: true)

  /// Returns the colors for a stream.
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

  /// Returns the text between the code of a rendition and its end, as in ECMA-48.
  private func colored(_ text: String, _ code: String) -> String {
    isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}
