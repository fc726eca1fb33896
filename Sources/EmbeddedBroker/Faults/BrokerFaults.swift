import Platform

/// Faults on demand, from any thread. Each call has taken effect when it returns.
public struct BrokerFaults: Sendable {
    private let broker: EmbeddedBroker

    init(_ broker: EmbeddedBroker) { self.broker = broker }

    /// Puts a fault in force for the next `times` requests of an API (a name such as `Produce`; nil: any), after letting
    /// `skip` pass, each with `probability` drawn from the broker's seed.
    public func add(
        _ action: FaultAction, api: String? = nil, times: Int = 1, skip: Int = 0, probability: Double = 1
    ) throws(BrokerError) {
        var key: Int16?
        if let api {
            guard let type = ApiRegistry.request(named: api) else { throw BrokerError("no API `\(api)`") }
            key = type.api.key
        }
        guard let planned = action.planned else { throw BrokerError("no such error code") }
        let rule = FaultPlan.Rule(key: key, action: planned, left: times, skip: skip, probability: probability)
        broker.perform { $0.cluster.faults.add(rule) }
    }

    /// Runs a command as the admin port would; returns its answer.
    @discardableResult
    public func run(_ command: FaultCommand) -> String { broker.perform { command.apply(to: $0) } ?? "not running" }

    /// Stops the broker as by `kill -9` at the `writes`th durable write from now, which is torn after
    /// `tornPermille`/1000 of its bytes.
    public func crash(afterWrites writes: Int, tornPermille: Int = 0) {
        broker.perform { $0.cluster.gate.shut(afterWrites: writes, tornPermille: tornPermille) }
    }

    /// Refuses durable writes, as a full disk does: `count` of them (nil: all until `clear`) after letting `skip` pass,
    /// each when `tornPermille`/1000 of its bytes have reached the file.
    public func refuseWrites(_ count: Int? = nil, skip: Int = 0, tornPermille: Int = 0) {
        broker.perform { $0.cluster.gate.refuse(after: skip, count: count, tornPermille: tornPermille) }
    }

    /// Ends all faults but frozen partitions.
    public func clear() { run(.clear) }

    /// Requests hit so far. A test whose fault never struck should fail.
    public var hits: Int { broker.perform { $0.cluster.faults.hits } ?? 0 }
}
