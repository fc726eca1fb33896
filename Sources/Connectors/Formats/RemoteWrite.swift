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
                // Twice, so that a message broken at its end leaves no half of its samples behind.
                try WriteRequest.check(request)
                try decodeSeries(request, context, series, batch)
            }
        } catch {
            let bytes = record.bytes
            batch.bad.append(
                BadRecord(
                    offset: record.offset, line: 1, reason: error.reason, detail: error.detail, raw: Array(bytes),
                    recordTimestampMs: record.timestampMs))
        }
        if request.capacity > 1 << 20 { request = [] }
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

    /// Takes the samples of a request that has been checked.
    private func decodeSeries(
        _ request: UnsafeBufferPointer<UInt8>, _ context: RecordContext, _ series: SeriesDictionary,
        _ batch: SampleBatch
    ) throws(DecodeFault) {
        guard var fields = ProtobufFields(request) else { return }
        var place = 0
        while let (number, payload) = try fields.next() {
            guard number == WriteRequest.timeSeries, case .bytes(let one) = payload, let base = one.baseAddress else {
                continue
            }
            do throws(DecodeFault) {
                try decodeOne(one, &place, context, series, batch)
            } catch {
                context.reject(error, place: place + 1, base, base + one.count, in: batch)
                place += try WriteRequest.sampleCount(one)
            }
        }
    }

    /// Takes the samples of one `TimeSeries`; throws before the first where its labels are refused.
    private func decodeOne(
        _ one: UnsafeBufferPointer<UInt8>, _ place: inout Int, _ context: RecordContext, _ series: SeriesDictionary,
        _ batch: SampleBatch
    ) throws(DecodeFault) {
        guard var fields = ProtobufFields(one), let base = one.baseAddress else { return }
        var id = try identify(one, series)
        while let (number, payload) = try fields.next() {
            guard number == WriteRequest.samples, case .bytes(let bytes) = payload else { continue }
            place += 1
            let sample = try WriteRequest.sample(bytes)
            do throws(DecodeFault) {
                let timestampMs =
                    context.accepts(sample.timestampMs)
                    ? sample.timestampMs : try context.eventTime(sample.timestampMs)
                // Interned with its first good sample, so that bad ones leave no trace in the dictionary.
                let index = id.index ?? id.intern(series)
                let at = UInt32(truncatingIfNeeded: place)
                if sample.value.bitPattern == SampleBatch.staleBits {
                    batch.appendStale(series: index, timestampMs: timestampMs, place: at)
                } else {
                    batch.append(series: index, timestampMs: timestampMs, value: sample.value, place: at)
                }
            } catch {
                context.reject(error, place: place, base, base + one.count, in: batch)
            }
        }
    }

    /// A series known by the bytes of its labels, or its labels read and checked.
    private struct Identity {
        /// Its index, once it has one.
        var index: UInt32?
        let labels: SeriesLabels?
        /// The labels' bytes, where they stand together in front, as every encoder writes them: a spelling.
        let spelling: UnsafeBufferPointer<UInt8>?

        mutating func intern(_ series: SeriesDictionary) -> UInt32 {
            guard let labels else { preconditionFailure("a series without index has labels") }
            let new: UInt32
            if let spelling, let base = spelling.baseAddress {
                new = series.insert(base, length: spelling.count, labels: labels)
            } else {
                new = series.index(of: labels)
            }
            index = new
            return new
        }
    }

    private func identify(
        _ one: UnsafeBufferPointer<UInt8>, _ series: SeriesDictionary
    ) throws(DecodeFault) -> Identity {
        let extent = try WriteRequest.labelExtent(one)
        if extent.isContiguous, let base = one.baseAddress, extent.bytes > 0,
            let known = series.find(base, length: extent.bytes)
        {
            return Identity(index: known, labels: nil, spelling: nil)
        }
        guard extent.bytes <= limits.maxLineBytes else {
            throw DecodeFault(
                .lineTooLong, "labels of \(extent.bytes) bytes, limits.maxLineBytes is \(limits.maxLineBytes)")
        }
        let labels = try WriteRequest.labels(one, maxLabels: limits.maxLabelsPerSeries)
        let spelling = extent.isContiguous ? UnsafeBufferPointer(rebasing: one[..<extent.bytes]) : nil
        return Identity(index: nil, labels: labels, spelling: spelling)
    }
}
