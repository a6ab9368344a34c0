internal import ArgumentParser
internal import MergeEngine
internal import SystemPackage

/// Makes what the benchmarks read.
@main
struct BenchInputs: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-inputs", abstract: "Make inputs for the benchmarks.",
    subcommands: [Mappings.self, Age.self])
}

struct Mappings: ParsableCommand {
  enum Order: String, CaseIterable, ExpressibleByArgument {
    /// Every block by itself: data blocks in no order.
    case shuffled
    /// One run: data blocks in the order of the thin blocks.
    case contiguous
  }

  static let configuration = CommandConfiguration(
    abstract: "Write the XML that thin_restore reads, of device 1 with blocks of 64 KiB.")

  @Option(help: "How many blocks are mapped; the data device has as many.")
  var count: UInt64

  @Option(help: "Where they lie on the data device: shuffled or contiguous.")
  var order: Order

  @Option(help: "Of shuffled blocks, thin block N x spread is mapped.")
  var spread: UInt64 = 2

  @Option(help: "Decides the order of shuffled blocks.")
  var seed: UInt64

  func validate() throws {
    guard (1...1 << 40).contains(count), (1...1 << 20).contains(spread) else {
      throw ValidationError("1 to 2^40 blocks are possible, and a spread of 1 to 2^20")
    }
  }

  func run() throws {
    var xml = MappingsXML(deviceBlockCount: count, output: .standardOutput)
    switch order {
    case .shuffled:
      let permutation = Permutation(count: count, seed: seed)
      for number in 0..<count {
        try xml.addBlock(thin: number * spread, data: permutation(number))
      }
    case .contiguous:
      try xml.addRange(thin: 0, data: 0, blockCount: count)
    }
    try xml.finish()
  }
}

struct Age: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Scatter the nodes of a mapping tree over the metadata, as use for years does.",
    discussion: """
      Copies the metadata image IN to OUT and moves every node of its only device's mapping tree to a \
      block drawn from all that are free, or were the tree's own. All else stays in place. The space \
      maps are copied too and become stale: they still count the old places, so that thin_check \
      complains and no pool may be started on the image. It serves to be read.
      """)

  @Argument(help: "Metadata with one device, with number 1, and no metadata snapshot.")
  var input: String

  @Argument(help: "The image to be made.")
  var output: String

  @Option(help: "Decides the places.")
  var seed: UInt64

  func run() throws {
    var aging = try MetadataAging(from: input, to: output)
    try aging.scatter(seed: seed)
  }
}
