/// Where every decoded sample of one query and partition went: decoded = filtered + aggregated + late + limitDrops
/// (SEMANTICS §6).
public struct QueryLedger: Sendable, Equatable {
    public var decoded = 0
    public var filtered = 0
    /// Samples that at least one window took.
    public var aggregated = 0
    /// Samples that no window took.
    public var late = 0
    /// Of `aggregated`: samples that some windows took and others did not.
    public var partlyLate = 0
    /// Of `late`: samples late only because a window was emitted while their partition was idle or not yet joined.
    public var lateAfterIdle = 0
    /// Samples of series beyond `limits.maxSeries`.
    public var limitDrops = 0

    public init() {}

    /// Whether every sample ended in exactly one place.
    public var balances: Bool { decoded == filtered + aggregated + late + limitDrops }

    /// Adds another partition's counts.
    public static func += (a: inout QueryLedger, b: QueryLedger) {
        a.decoded += b.decoded
        a.filtered += b.filtered
        a.aggregated += b.aggregated
        a.late += b.late
        a.partlyLate += b.partlyLate
        a.lateAfterIdle += b.lateAfterIdle
        a.limitDrops += b.limitDrops
    }
}

/// What came out of one source partition: samples = decoded + stale markers + future; bad ones are counted beside.
public struct PartitionLedger: Sendable, Equatable {
    /// Messages, or lines of a file.
    public var records = 0
    public var decoded = 0
    public var bad = 0
    public var future = 0
    public var staleMarkers = 0
    /// Bad records by reason, `futureTimestamp` not among them.
    public var badByReason: [BadRecordReason: Int] = [:]
    /// Offsets that Kafka no longer held when they were to be read (`onDataLoss: continue`), oldest first. How many records
    /// and samples stood there nobody knows: they are in no other count.
    public var lost: [ClosedRange<Int64>] = []

    public init() {}

    /// Samples met, good, stale or future.
    public var samples: Int { decoded + staleMarkers + future }
    /// Offsets in `lost`.
    public var lostOffsets: Int { lost.reduce(0) { $0 + $1.count } }
}
