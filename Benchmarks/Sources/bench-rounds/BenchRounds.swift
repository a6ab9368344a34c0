internal import ArgumentParser
internal import MergeEngine

/// Does one part of the engine's work over and over, for programs that count instructions or heap calls.
@main
struct BenchRounds: ParsableCommand {
  /// The part that a round runs.
  enum Part: String, CaseIterable, ExpressibleByArgument {
    case leaf
    /// A thousand leaves, by a reader of its own.
    case shuffledRuns = "shuffled-runs"
    case contiguousRuns = "contiguous-runs"
    /// Those, and a plan of them.
    case plan
    case transfer
    /// One whose 16 blocks are read one by one.
    case joinedTransfer = "joined-transfer"
    case journalEntry = "journal-entry"
    /// One of 2048 entries.
    case journalRecord = "journal-record"
    /// 64 KiB.
    case checksum
  }

  static let configuration = CommandConfiguration(
    commandName: "bench-rounds",
    abstract: "Do one part of the engine's work again and again.",
    discussion: """
      What 20 rounds take more than 10 is what a round takes. Prints a number that depends on them.
      """)

  @Argument(help: "What is done.")
  var part: Part

  @Option(help: "How many times.")
  var rounds: Int

  func validate() throws {
    guard (1...1 << 20).contains(rounds) else {
      throw ValidationError("1 to 2^20 rounds are possible")
    }
  }

  func run() throws { print(try result()) }

  private func result() throws -> UInt64 {
    switch part {
    case .leaf:
      let leaf = LeafDecoding(seed: 1)
      return try sum { try leaf.decode() }
    case .shuffledRuns: return try runs(.shuffled)
    case .contiguousRuns: return try runs(.contiguous)
    case .plan:
      let image = Self.image(.shuffled)
      return try sum {
        var adding = try PlanAdding(image)
        try adding.run()
        return 1
      }
    case .transfer: return try transfers(segmentCount: 1)
    case .joinedTransfer: return try transfers(segmentCount: 16)
    case .journalEntry:
      var appending = try CheckpointAppending(entryCount: rounds)
      return appending.run()
    case .journalRecord:
      let record = RecordDecoding()
      return sum { record.decode() ? 1 : 0 }
    case .checksum:
      let checksumming = Checksumming(byteCount: 64 << 10)
      return sum { UInt64(checksumming.checksum()) }
    }
  }

  private func sum(_ round: () throws -> UInt64) rethrows -> UInt64 {
    var sum: UInt64 = 0
    for _ in 0..<rounds { sum &+= try round() }
    return sum
  }

  private static func image(_ order: MappingImage.Order) -> MappingImage {
    MappingImage(order, leafCount: 1000, seed: 1)
  }

  private func runs(_ order: MappingImage.Order) throws -> UInt64 {
    let image = Self.image(order)
    return try sum {
      var reading = try RunReading(image)
      return try reading.readAll()
    }
  }

  private func transfers(segmentCount: Int) throws -> UInt64 {
    // Nothing in it is waited for, or is in time.
    let clock = MergeEngine.Clock(now: { .zero }, sleep: { _ in })
    var turns = try PipelineTurns(transferCount: rounds, segmentCount: segmentCount, clock: clock)
    return turns.run()
  }
}
