/// The verbs: what can be done with a thin device and its external origin.
public struct Merger: Sendable {
  let environment: Environment

  /// Makes verbs that run in `environment`.
  public init(environment: Environment) { self.environment = environment }
}
