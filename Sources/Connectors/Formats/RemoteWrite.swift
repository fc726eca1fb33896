import Platform
import StreamEngine

/// Prometheus remote-write 1.0 (prometheus.io/docs/specs/prw/remote_write_spec): one snappy block (no framing) that holds
/// one protobuf `WriteRequest`, a message.
///
/// - Staleness markers are kept as such; any other NaN is a value.
/// - Exemplars, metadata and fields this version does not know are read past. Native histograms (`TimeSeries.histograms`)
///   are not float samples: they are read past too, neither counted nor bad.
/// - Labels may come in any order; one with an empty value is none. A series may lack `__name__`, not all labels. Names are
///   not held to the classic alphabet.
/// - A field left out has protobuf's default: a missing timestamp is 0 ms (1970), as an encoder writes it, never the
///   Kafka record's.
/// - Bytes that are not a `WriteRequest` throughout cost the whole message, as one bad record: none of its samples is
///   taken. A series whose labels are refused costs one bad record, the others stay; a sample out of range or too far
///   ahead costs itself.
/// - There are no lines to count places by: the place is the number of the sample within the message, of a bad series
///   that of its first sample.
///
/// Messages only: the format has no lines, and says nothing of how messages would follow each other in a file.
public struct RemoteWriteFormat: Format {
    public init() {}

    public var name: String { "remote-write" }
    public var summary: String { "Prometheus remote-write 1.0: a snappy block with a protobuf WriteRequest a message" }
    public var kind: RecordKind { .samples }
    public var isLineBased: Bool { false }

    public func makeDecoder(limits: DecodeLimits) -> any RecordDecoder { RemoteWriteDecoder(limits: limits) }
}

/// Decodes `WriteRequest`s. The decompressed bytes are kept from message to message; nothing is allocated for a sample of
/// a series met before.
final class RemoteWriteDecoder: RecordDecoder {
    private let limits: DecodeLimits
    private var request: [UInt8] = []
    private var found: [WriteRequest.Found] = []

    init(limits: DecodeLimits) {
        self.limits = limits
    }

    func decode(_ record: RawRecord, latestTimestampMs: Int64, series: SeriesDictionary, into batch: SampleBatch) {
        let context = RecordContext(record: record, latestTimestampMs: latestTimestampMs, limits: limits)
        guard context.begin(in: batch) else { return }
        do throws(DecodeFault) {
            if record.linesAreRecords {
                throw DecodeFault(.malformed, "remote-write comes in messages; a file of lines cannot hold it")
            }
            try decompress(record.bytes)
            try request.withUnsafeBufferPointer { request throws(DecodeFault) in
                // First everything is checked, so that a message broken at its end leaves no half of its samples behind.
                defer { found.removeAll(keepingCapacity: true) }
                try WriteRequest.check(request, series, into: &found)
                try takeSamples(context, series, batch)
            }
        } catch {
            let bytes = record.bytes
            batch.reject(
                BadRecord(
                    offset: record.offset, line: 1, reason: error.reason, detail: error.detail, raw: Array(bytes),
                    recordTimestampMs: record.timestampMs))
        }
        // What an unusually large message took is given back.
        if request.capacity > 1 << 20 { request = [] }
        if found.capacity > 1 << 16 { found = [] }
    }

    private func decompress(_ block: UnsafeBufferPointer<UInt8>) throws(DecodeFault) {
        do throws(SnappyFailure) {
            try Snappy.decompress(block, into: &request, limit: limits.maxMessageBytes)
        } catch {
            switch error {
            case .damaged:
                throw DecodeFault(
                    .badCompression, block.isEmpty ? "an empty message" : "not a snappy block, or a damaged one")
            case .tooLarge(let bytes, let limit):
                throw DecodeFault(
                    .messageTooLarge, "\(bytes) bytes decompressed, limits.maxMessageBytes is \(limit)")
            }
        }
    }

    /// Takes the samples of the series found.
    private func takeSamples(
        _ context: RecordContext, _ series: SeriesDictionary, _ batch: SampleBatch
    ) throws(DecodeFault) {
        var place = 0
        let generation = series.generation
        for var one in found {
            // A new series of this message may have made old ones be forgotten: what was found then may mean others now.
            if series.generation != generation { one.known = nil }
            do throws(DecodeFault) {
                let labels = one.known == nil ? try readLabels(one) : nil
                try takeSamples(one, labels, &place, context, series, batch)
            } catch {
                // Thrown before the first sample was looked at.
                guard let base = one.bytes.baseAddress else { continue }
                context.reject(error, place: place + 1, base, base + one.bytes.count, in: batch)
                place += try WriteRequest.sampleCount(one.bytes)
            }
        }
    }

    private func readLabels(_ one: WriteRequest.Found) throws(DecodeFault) -> SeriesLabels {
        guard one.labelBytes <= limits.maxLineBytes else {
            throw DecodeFault(
                .lineTooLong, "labels of \(one.labelBytes) bytes, limits.maxLineBytes is \(limits.maxLineBytes)")
        }
        return try WriteRequest.labels(one.bytes, maxLabels: limits.maxLabelsPerSeries)
    }

    /// Takes the samples of one series, whose labels are given where it is not known.
    private func takeSamples(
        _ one: WriteRequest.Found, _ labels: SeriesLabels?, _ place: inout Int, _ context: RecordContext,
        _ series: SeriesDictionary, _ batch: SampleBatch
    ) throws(DecodeFault) {
        guard var fields = ProtobufFields(one.bytes), let base = one.bytes.baseAddress else { return }
        var index = one.known
        while let (number, payload) = try fields.next() {
            guard number == WriteRequest.samples, case .bytes(let bytes) = payload else { continue }
            place += 1
            let sample = try WriteRequest.sample(bytes)
            guard context.accepts(sample.timestampMs) else {
                reject(sample.timestampMs, place, base, base + one.bytes.count, context, batch)
                continue
            }
            // Interned with its first good sample, so that bad ones leave no trace in the dictionary.
            let id = index ?? intern(one, labels, series)
            index = id
            let at = UInt32(truncatingIfNeeded: place)
            if sample.value.bitPattern == SampleBatch.staleBits {
                batch.appendStale(series: id, timestampMs: sample.timestampMs, place: at)
            } else {
                batch.append(series: id, timestampMs: sample.timestampMs, value: sample.value, place: at)
            }
        }
    }

    /// A sample whose time is refused, with the reason.
    private func reject(
        _ timestampMs: Int64, _ place: Int, _ start: BytePointer, _ end: BytePointer, _ context: RecordContext,
        _ batch: SampleBatch
    ) {
        do throws(DecodeFault) {
            _ = try context.eventTime(timestampMs)
        } catch {
            context.reject(error, place: place, start, end, in: batch)
        }
    }

    private func intern(
        _ one: WriteRequest.Found, _ labels: SeriesLabels?, _ series: SeriesDictionary
    ) -> UInt32 {
        // `takeSamples` reads the labels of every series that is not known, and asks here for no other.
        guard let labels else { preconditionFailure("a series that is not known has labels") }
        guard let spelling = one.spelling, let base = spelling.baseAddress, !spelling.isEmpty else {
            return series.index(of: labels)
        }
        // Within one message a new series may come several times: its spelling is kept once.
        if let known = series.find(base, length: spelling.count) { return known }
        return series.insert(base, length: spelling.count, labels: labels)
    }
}
