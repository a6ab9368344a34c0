internal import Benchmark
internal import MergeEngine

// User time is not among the metrics: the kernel tells it in ticks of 10 ms. All of this runs on one
// thread that never waits, so that its time by the clock is the processor's. Instructions are there only
// where the processor counts them; a virtual one often does not.
private func measured(_ scale: BenchmarkScalingFactor) -> Benchmark.Configuration {
  .init(
    metrics: [.wallClock, .throughput, .instructions], warmupIterations: 3, scalingFactor: scale,
    maxDuration: .seconds(3))
}

private let start = ContinuousClock.now
private let clock = MergeEngine.Clock(now: { start.duration(to: .now) }, sleep: { _ in })

/// The benchmarks that the generated main function registers.
let benchmarks: @Sendable () -> Void = {
  let leaf = LeafDecoding(seed: 1)
  Benchmark("leaf of 252 mappings: decode", configuration: measured(.kilo)) { benchmark in
    for _ in benchmark.scaledIterations { blackHole(try leaf.decode()) }
  }

  for order in MappingImage.Order.allCases {
    let image = MappingImage(order, leafCount: 1000, seed: 1)
    Benchmark("leaf of 252 \(order) mappings: runs, first pass", configuration: measured(.kilo)) {
      var reading = try RunReading(image)
      $0.startMeasurement()
      blackHole(try reading.readAll())
      $0.stopMeasurement()
    }
    Benchmark("leaf of 252 \(order) mappings: runs, second pass", configuration: measured(.kilo)) {
      var reading = try RunReading(image)
      blackHole(try reading.readAll())
      try reading.restart()
      $0.startMeasurement()
      blackHole(try reading.readAll())
      $0.stopMeasurement()
    }
  }

  // Contiguous ones make one run: there is nothing to add up.
  let shuffled = MappingImage(.shuffled, leafCount: 1000, seed: 1)
  Benchmark("leaf of 252 shuffled mappings: added to a plan", configuration: measured(.kilo)) {
    var adding = try PlanAdding(shuffled)
    $0.startMeasurement()
    try adding.run()
    $0.stopMeasurement()
  }

  for segmentCount in [1, 16] {
    Benchmark("transfer of \(segmentCount) x 64 KiB: turn-around", configuration: measured(.kilo)) {
      var turns = try PipelineTurns(
        transferCount: $0.scaledIterations.count, segmentCount: segmentCount, clock: clock)
      $0.startMeasurement()
      blackHole(turns.run())
      $0.stopMeasurement()
    }
  }

  Benchmark("journal entry: append", configuration: measured(.kilo)) { benchmark in
    var appending = try CheckpointAppending(entryCount: benchmark.scaledIterations.count)
    benchmark.startMeasurement()
    blackHole(appending.run())
    benchmark.stopMeasurement()
  }

  let record = RecordDecoding()
  Benchmark("journal record of 2048 entries: decode", configuration: measured(.kilo)) { benchmark in
    for _ in benchmark.scaledIterations { blackHole(record.decode()) }
  }

  for (text, byteCount) in [("64 KiB", 64 << 10), ("1 MiB", 1 << 20)] {
    let checksumming = Checksumming(byteCount: byteCount)
    Benchmark("\(text): checksum, in the cache", configuration: measured(.kilo)) { benchmark in
      for _ in benchmark.scaledIterations { blackHole(checksumming.checksum()) }
    }
  }
  Benchmark("256 MiB: checksum, from memory", configuration: measured(.one)) { benchmark in
    blackHole(large.checksum())
  }
}

/// More than any cache holds; made when it is first asked for.
private let large = Checksumming(byteCount: 256 << 20)
