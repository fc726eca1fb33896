import StreamEngine

/// A piece of a workload, in the order of event time.
public enum WorkloadItem: Sendable {
    /// One scrape of one node: a Kafka message, or some lines of a file.
    case samples(ScrapedSamples)
    case event(ClusterEvent)
    /// An incident begins.
    case incident(Incident)
}

/// The samples of one scrape.
public struct ScrapedSamples: Sendable {
    /// Event time of the scrape, ms.
    public let timestampMs: Int64
    /// Where they belong: all samples of a node have one partition.
    public let partition: Int
    /// The node, as a message's key.
    public let key: String
    /// Text in the workload's format, with a line end after each line.
    public let bytes: [UInt8]
    public let samples: Int
}

/// A seeded workload: nodes with machines, containers, HTTP services and Spark executors, scraped one after the other,
/// with incidents and what the cluster says of them. Equal settings give equal items.
///
///     var workload = Workload(settings)
///     while let item = workload.next() { … }
public struct Workload: Sendable {
    public let settings: WorkloadSettings
    private let plan: IncidentPlan
    private var nodes: [GeneratedNode]
    private var texts: [SampleText]
    /// How many of each node's series count: the last node may have some only.
    private var seriesCounts: [Int]
    private var held: [HeldSamples]
    private var typedPartitions: Set<Int> = []
    private var disorderRandom: SeededRandom
    private var round: Int64 = 0
    private var node = 0
    /// Periods whose incident is in `pending` or has been.
    private var plannedPeriods: Int64 = 0
    /// In time order.
    private var pending: [(timestampMs: Int64, item: WorkloadItem)] = []
    private var values: [Double] = []

    /// A workload at its beginning.
    public init(_ settings: WorkloadSettings) {
        // `generate` and `demo` take their options in these ranges; a topic has a partition.
        precondition(settings.series > 0 && settings.intervalMs > 0 && settings.partitions > 0, "positive figures")
        self.settings = settings
        let count = (settings.series + GeneratedNode.seriesCount - 1) / GeneratedNode.seriesCount
        plan = IncidentPlan(settings, nodes: count)
        nodes = (0..<count).map { GeneratedNode(number: $0, seed: settings.seed) }
        seriesCounts = nodes.map {
            min(GeneratedNode.seriesCount, settings.series - $0.number * GeneratedNode.seriesCount)
        }
        texts = zip(nodes, seriesCounts).map { SampleText(settings.format, Array($0.series.prefix($1))) }
        held = (0..<settings.partitions).map { _ in HeldSamples() }
        disorderRandom = SeededRandom(seed: settings.seed, stream: 0x2_0000_0000)
    }

    /// How many nodes there are.
    public var nodeCount: Int { nodes.count }

    /// Every series, node by node.
    public var series: [GeneratedSeries] { zip(nodes, seriesCounts).flatMap { $0.series.prefix($1) } }

    /// The incidents that begin before a time and before the workload's end, for labels. O(periods up to there).
    public func incidents(before timestampMs: Int64) -> [Incident] {
        let beforeMs = min(timestampMs, settings.endMs)
        guard settings.mode != .normal, beforeMs > settings.startMs else { return [] }
        return (0...plan.period(of: beforeMs - 1)).compactMap { plan.incident(period: $0) }
            .filter { $0.startMs < beforeMs }
    }

    /// The next item; nil at the end.
    public mutating func next() -> WorkloadItem? {
        let timestampMs = nextScrapeMs
        while plannedPeriods <= plan.period(of: min(timestampMs, settings.endMs - 1)) {
            plan(period: plannedPeriods)
            plannedPeriods += 1
        }
        if let first = pending.first, first.timestampMs <= timestampMs {
            pending.removeFirst()
            return first.item
        }
        guard timestampMs < settings.endMs else { return lastHeld() }
        let scraped = node
        node += 1
        if node == nodes.count {
            node = 0
            round += 1
        }
        return .samples(scrape(scraped, timestampMs))
    }

    /// Nodes are scraped one after the other, spread over the interval, as Prometheus does.
    private var nextScrapeMs: Int64 {
        settings.startMs + round * settings.intervalMs + Int64(node) * settings.intervalMs / Int64(nodes.count)
    }

    private mutating func plan(period: Int64) {
        guard let incident = plan.incident(period: period) else { return }
        pending.append((incident.startMs, .incident(incident)))
        for event in incident.events(before: settings.endMs) { pending.append((event.timestampMs, .event(event))) }
    }

    private mutating func scrape(_ index: Int, _ timestampMs: Int64) -> ScrapedSamples {
        nodes[index].scrape(timestampMs, plan.incident(at: timestampMs), into: &values)
        let partition = index % settings.partitions
        var bytes: [UInt8] = []
        var samples = 0
        if settings.declaresTypesAlways || typedPartitions.insert(partition).inserted {
            bytes += texts[index].types
        }
        for place in 0..<min(values.count, seriesCounts[index]) {
            if settings.disorder > 0, disorderRandom.uniform() < settings.disorder {
                let delayMs = 1 + Int64(disorderRandom.uniform() * Double(settings.latenessMs))
                var line: [UInt8] = []
                texts[index].append(place, values[place], timestampMs, to: &line)
                held[partition].hold(line, until: timestampMs + delayMs)
            } else {
                texts[index].append(place, values[place], timestampMs, to: &bytes)
                samples += 1
            }
        }
        samples += held[partition].release(by: timestampMs, into: &bytes)
        if settings.format == .openmetrics { bytes += "# EOF\n".utf8 }
        return ScrapedSamples(
            timestampMs: timestampMs, partition: partition, key: "node-\(index + 1)", bytes: bytes, samples: samples)
    }

    /// What is still held back when the scrapes are over.
    private mutating func lastHeld() -> WorkloadItem? {
        for partition in held.indices {
            var bytes: [UInt8] = []
            let samples = held[partition].release(by: .max, into: &bytes)
            guard samples > 0 else { continue }
            if settings.format == .openmetrics { bytes += "# EOF\n".utf8 }
            return .samples(
                ScrapedSamples(
                    timestampMs: settings.endMs - 1, partition: partition, key: "late", bytes: bytes, samples: samples))
        }
        return nil
    }
}
