import Fixtures
import Testing

@testable import MergeEngine

@Suite("Plan: the layout of the mappings")
struct MappingLayoutTests {
  private static let kibibyte: UInt64 = 1 << 10
  private static let block: UInt64 = 64 << 10

  /// Sample runs of 64 KiB blocks, and the layout expected for them.
  struct Example: Sendable, CustomStringConvertible {
    var description: String
    /// The first block and the block count of each run.
    var runs: [(UInt64, UInt64)]
    /// The offset at which the merge ends, in blocks.
    var endBlock: UInt64
    /// For each class of run lengths: the minimum length in blocks, the number of runs, and the
    /// total number of blocks in them.
    var lengths: [(UInt64, UInt64, UInt64)]
    /// The number of blocks that each cell covers.
    var cellBlockCount: UInt64
    /// The number of merged blocks in each cell.
    var cells: [UInt64]
  }

  static let examples: [Example] = [
    Example(
      description: "nothing on an empty origin", runs: [], endBlock: 0, lengths: [],
      cellBlockCount: 1, cells: []),
    Example(
      description: "nothing", runs: [], endBlock: 3, lengths: [], cellBlockCount: 1,
      cells: [0, 0, 0]),
    Example(
      description: "one block", runs: [(1, 1)], endBlock: 3, lengths: [(1, 1, 1)],
      cellBlockCount: 1, cells: [0, 1, 0]),
    Example(
      description: "a gap in the lengths", runs: [(0, 1), (2, 7), (10, 1)], endBlock: 11,
      lengths: [(1, 2, 2), (2, 0, 0), (4, 1, 7)], cellBlockCount: 1,
      cells: [1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1]),
    Example(
      description: "as many blocks as cells", runs: [(0, 256)], endBlock: 256,
      lengths: [(256, 1, 256)], cellBlockCount: 1, cells: Array(repeating: 1, count: 256)),
    Example(
      description: "one block more than cells", runs: [(0, 257)], endBlock: 257,
      lengths: [(256, 1, 257)], cellBlockCount: 2, cells: Array(repeating: 2, count: 128) + [1]),
    Example(
      description: "an end far behind", runs: [(0, 3)], endBlock: 1 << 20,
      lengths: [(2, 1, 3)], cellBlockCount: 4096, cells: [3] + Array(repeating: 0, count: 255)),
    Example(
      description: "a run over two cells, of which the first has one already",
      runs: [(1, 1), (1000, 1), (1002, 4), (1012, 2)], endBlock: 1024,
      lengths: [(1, 2, 2), (2, 1, 2), (4, 1, 4)], cellBlockCount: 4,
      cells: [1] + Array(repeating: 0, count: 249) + [3, 2, 0, 2, 0, 0]),
    Example(
      description: "a run over many cells, and one in the last",
      runs: [(100, 1000), (1 << 20 - 1, 1)], endBlock: 1 << 20,
      lengths: [(1, 1, 1)] + (1..<9).map { (1 << $0, 0, 0) } + [(512, 1, 1000)],
      cellBlockCount: 4096, cells: [1000] + Array(repeating: 0, count: 254) + [1]),
  ]

  @Test("sample runs produce the expected layout", arguments: examples)
  func known(_ known: Example) {
    var builder = LayoutBuilder(dataBlockByteCount: Self.block)
    for (first, count) in known.runs {
      builder.add(from: first * Self.block, to: (first + count) * Self.block)
    }
    let layout = builder.finish(endByteOffset: known.endBlock * Self.block)
    #expect(layout.endByteOffset == known.endBlock * Self.block)
    #expect(layout.cellByteCount == known.cellBlockCount * Self.block)
    #expect(layout.cells == known.cells.map { $0 * Self.block })
    #expect(
      layout.runLengths
        == known.lengths.map {
          MappingLayout.RunLength(
            byteCountMin: $0.0 * Self.block, runCount: $0.1, byteCount: $0.2 * Self.block)
        })
  }

  @Test("a layout covers the largest possible device, up to its last block")
  func largest() {
    let end = UInt64(Int64.max) / Self.block * Self.block
    var builder = LayoutBuilder(dataBlockByteCount: Self.block)
    builder.add(from: 0, to: Self.block)
    builder.add(from: end - Self.block, to: end)
    let layout = builder.finish(endByteOffset: UInt64(Int64.max))
    #expect(layout.cellByteCount == 1 << 55)
    #expect(layout.cells.count == 256)
    #expect(layout.cells.first == Self.block && layout.cells.last == Self.block)
  }

  @Test("on a small device, a layout's cell size is the block size rounded up to a power of two")
  func blockSizes() {
    for (blockByteCount, cellByteCount) in [
      (64 * Self.kibibyte, 64 * Self.kibibyte), (192 * Self.kibibyte, 256 * Self.kibibyte),
      (1 << 30, 1 << 30),
    ] {
      var builder = LayoutBuilder(dataBlockByteCount: blockByteCount)
      builder.add(from: blockByteCount, to: 2 * blockByteCount)
      #expect(builder.finish(endByteOffset: 2 * blockByteCount).cellByteCount == cellByteCount)
    }
  }

  @Test("a plan's layout matches a block-by-block count")
  func counted() throws {
    let seed = Seed.current
    var generator = seed.generator
    for _ in 1...300 {
      var sample = PlanSample(using: &generator)
      if sample.options.pastEnd == .refuse { sample.options.pastEnd = .clip }
      let layout = try sample.plan().layout
      let comment: Comment = "\(sample); \(seed)"
      #expect(layout.cells.reduce(0, +) == sample.writtenByteCount, comment)
      #expect(layout.runLengths.reduce(0) { $0 + $1.byteCount } == sample.writtenByteCount, comment)
      #expect(
        layout.runLengths.reduce(0) { $0 + $1.runCount }
          == UInt64(sample.runs.count { $0.thinBlock.rawValue * Self.block < sample.end }), comment)
      // The samples are small enough that each cell covers one block.
      for (index, cell) in layout.cells.enumerated() {
        let start = UInt64(index) * Self.block
        let isMapped = sample.blockStarts.contains(start)
        #expect(cell == (isMapped ? min(Self.block, sample.end - start) : 0), comment)
      }
    }
  }

  @Test("reducing the number of cells in a layout sums adjacent cells")
  func fewerCells() {
    let layout = MappingLayout(
      runLengths: [], endByteOffset: 5 * Self.block, cellByteCount: Self.block,
      cells: [1, 2, 3, 4, 5])
    #expect(layout.cells(atMost: 5) == (Self.block, [1, 2, 3, 4, 5]))
    #expect(layout.cells(atMost: 4) == (2 * Self.block, [3, 7, 5]))
    #expect(layout.cells(atMost: 2) == (4 * Self.block, [10, 5]))
    #expect(layout.cells(atMost: 1) == (8 * Self.block, [15]))
  }
}
