/// What a pipeline is told and tells while it runs.
package struct RunControl {
  package let clock: Clock
  package let interruption: Interruption
  package let report: (MergeProgress) -> Void

  package init(clock: Clock, interruption: Interruption, report: @escaping (MergeProgress) -> Void)
  {
    self.clock = clock
    self.interruption = interruption
    self.report = report
  }
}
