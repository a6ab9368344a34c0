import ArgumentParser

@main
struct ThinMerge: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "thin-merge")
}
