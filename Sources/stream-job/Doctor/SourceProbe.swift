import Connectors
import Platform
import StreamEngine

/// Reads the newest records of a source's topics, without joining a group and without committing.
struct SourceProbe {
    let source: SourceDefinition
    let connection: KafkaConnection
    let format: any Format
    let limits: DecodeLimits
    /// Topics the job writes.
    let excludedTopics: [String]
    /// Records to read of all partitions together.
    let wanted: Int

    private static let timeoutNs: Int64 = 10_000_000_000

    /// Reads them; `cluster` is asked for the partitions' ends.
    func read(_ cluster: KafkaCluster, _ partitions: [PartitionID]) throws -> SourceSample {
        let clock = SystemClock()
        let reader = try KafkaTopicReader(
            connection, subscriptions: [KafkaSubscription(source)], end: .present, excludedTopics: excludedTopics,
            log: { _ in })
        defer { reader.close() }
        let deadlineNs = clock.monotonicNs() + Self.timeoutNs
        try awaitPartitions(reader, deadlineNs, clock)

        var sample = SourceSample(source: source)
        var starts: [PartitionID: Int64] = [:]
        let share = Int64(max(wanted / max(partitions.count, 1), 20))
        for id in partitions {
            let bounds = try cluster.bounds(of: id, timeoutMs: 10_000)
            sample.partitions.append(PartitionSample(id: id, held: bounds.high - bounds.low))
            starts[id] = max(bounds.low, bounds.high - share)
        }
        var open: [(place: Int, reader: any PartitionReader, decoder: any RecordDecoder, series: SeriesDictionary)] = []
        for reader in try reader.start(starts) {
            guard let place = sample.partitions.firstIndex(where: { $0.id == reader.id }) else { continue }
            open.append((place, reader, format.makeDecoder(limits: limits), SeriesDictionary()))
        }
        let batch = SampleBatch()
        while !open.isEmpty, clock.monotonicNs() < deadlineNs {
            for index in open.indices.reversed() {
                let (place, reader, decoder, series) = open[index]
                let outcome = try reader.read(maxBytes: 1 << 20) { record in
                    decode(record, decoder, series, batch, place, nowMs: clock.wallMs(), into: &sample)
                }
                if case .endOfInput = outcome { open.remove(at: index) }
            }
            if !open.isEmpty { _ = reader.poll(untilNs: clock.monotonicNs() + 50_000_000) }
        }
        return sample
    }

    private func awaitPartitions(_ reader: KafkaTopicReader, _ deadlineNs: Int64, _ clock: SystemClock) throws {
        while clock.monotonicNs() < deadlineNs {
            for event in reader.poll(untilNs: clock.monotonicNs() + 100_000_000) {
                switch event {
                case .assigned: return
                case .failed(let error): throw error
                case .revoked, .lost, .brokerDown, .brokerUp, .warning: break
                }
            }
        }
        throw SourceError(.timedOut, "the topics' partitions were not told in 10 s; check `brokers` and the network")
    }

    private func decode(
        _ record: RawRecord, _ decoder: any RecordDecoder, _ series: SeriesDictionary, _ batch: SampleBatch,
        _ place: Int, nowMs: Int64, into sample: inout SourceSample
    ) {
        batch.clear()
        let skewMs = source.watermark.maxFutureSkewMs
        let fromMs = record.timestampIsLogAppend ? record.timestampMs ?? nowMs : nowMs
        decoder.decode(record, latestTimestampMs: skewMs.map { fromMs + $0 } ?? .max, series: series, into: batch)
        sample.types.read(record.bytes)
        let id = sample.partitions[place].id
        sample.partitions[place].records += 1
        if let timeMs = record.timestampMs { PartitionSample.widen(&sample.partitions[place].recordTimesMs, timeMs) }
        sample.bad += batch.bad.map { (id, $0) }
        sample.samples += batch.count
        for row in 0..<batch.count {
            PartitionSample.widen(&sample.partitions[place].timesMs, batch.timestamps[row])
            guard batch.series[row] != SampleBatch.overLimit, let labels = series.labels(of: batch.series[row]) else {
                continue
            }
            var seen = sample.series[labels] ?? SeriesSample()
            let value = batch.values[row]
            seen.samples += 1
            if value > seen.lastValue { seen.rises += 1 } else if value < seen.lastValue { seen.falls += 1 }
            seen.lastValue = value
            seen.partitions.insert(id)
            sample.series[labels] = seen
        }
    }
}
