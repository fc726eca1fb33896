import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// One record as the tests of agreement hand it to decoders.
struct HostileRecord: CustomStringConvertible {
    var bytes: [UInt8]
    var isFile: Bool
    var timestampMs: Int64?

    var description: String {
        "\(isFile ? "file" : "message"): \(String(decoding: bytes, as: UTF8.self).debugDescription) = \(bytes)"
    }
}

/// What came out of records, in order, as text.
struct Outcome: Equatable {
    var samples: [Sample] = []
    var bad: [Bad] = []
    var records = 0

    struct Sample: Equatable {
        var place: Int
        var labels: String
        var bits: UInt64
        var timestampMs: Int64
    }

    struct Bad: Equatable {
        var line: Int
        var reason: BadRecordReason
        /// In words; without those that count bytes.
        var detail: String
        var raw: [UInt8]
    }

    mutating func take(_ batch: SampleBatch, _ series: SeriesDictionary) {
        for row in 0..<batch.count {
            let id = batch.series[row]
            let labels = id == SampleBatch.overLimit ? "over limit" : series.labels(of: id)?.description ?? "forgotten"
            samples.append(
                Sample(
                    place: batch.position(of: row).line, labels: labels,
                    bits: batch.values[row].isNaN ? Double.nan.bitPattern : batch.values[row].bitPattern,
                    timestampMs: batch.timestamps[row]))
        }
        for one in batch.bad {
            bad.append(
                Bad(
                    line: one.line, reason: one.reason, detail: one.reason == .lineTooLong ? "" : one.detail,
                    raw: one.raw))
        }
        records += batch.records
    }

    /// The same where a partition holds at most `maxSeries` series and forgets none.
    func limited(to maxSeries: Int, _ known: inout Set<String>) -> Outcome {
        var limited = self
        for place in samples.indices where !known.contains(samples[place].labels) {
            if known.count < maxSeries {
                known.insert(samples[place].labels)
            } else {
                limited.samples[place].labels = "over limit"
            }
        }
        return limited
    }
}

/// A decoder with its dictionary, over many records.
final class DecodingSession {
    let series: SeriesDictionary
    private let decoder: any RecordDecoder
    private let batch = SampleBatch(capacity: 16)
    private var outcome = Outcome()

    init(_ decoder: any RecordDecoder, maxSeries: Int = 1_000_000) {
        self.decoder = decoder
        series = SeriesDictionary(maxSeries: maxSeries)
    }

    func decode(_ record: HostileRecord, latestTimestampMs: Int64) throws -> Outcome {
        outcome = Outcome()
        try GuardedBytes.with(record.bytes, atEnd: record.bytes.count % 5 != 0) { bytes in
            decoder.decode(
                RawRecord(
                    bytes: bytes, offset: 0, timestampMs: record.timestampMs, linesAreRecords: record.isFile),
                latestTimestampMs: latestTimestampMs, series: series, into: batch)
        }
        outcome.take(batch, series)
        batch.clear()
        return outcome
    }

    /// Makes room as a partition's task does: what is decoded is taken, then some series are forgotten, so that their indices
    /// come to stand for others.
    func forgetWhenFull(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        series.onFull = { [unowned self] in
            let run = batch.runs.last
            outcome.take(batch, series)
            batch.clear()
            if let run { batch.beginRun(offset: run.offset, linesAreRecords: run.linesAreRecords) }
            let held = (0..<UInt32(series.indexBound)).filter { series.labels(of: $0) != nil }
            let kept = random.below(held.count)
            series.forget(held.filter { _ in random.below(held.count) >= kept } + (kept == 0 ? [] : [held[kept]]))
        }
    }
}

/// Runs records through one decoder in many ways; whatever it knows already, it must give what `reference` gives, which
/// knows nothing and takes no short cut.
enum DecoderAgreement {
    static func check(
        _ records: [HostileRecord], seed: UInt64, latestTimestampMs: Int64,
        decoder: () -> any RecordDecoder, reference: (HostileRecord) throws -> Outcome
    ) throws -> (samples: Int, bad: Int) {
        let warm = DecodingSession(decoder())
        let full = DecodingSession(decoder(), maxSeries: 3)
        let changing = DecodingSession(decoder(), maxSeries: 4)
        changing.forgetWhenFull(seed: seed)
        var met: Set<String> = []
        var held: Set<String> = []
        var counts = (samples: 0, bad: 0)
        for record in records {
            let expected = try reference(record)
            counts.samples += expected.samples.count
            counts.bad += expected.bad.count
            for sample in expected.samples { met.insert(sample.labels) }
            for name in ["cold", "known", "again", "full", "changing"] {
                let session: DecodingSession
                switch name {
                case "cold": session = DecodingSession(decoder())
                case "full": session = full
                case "changing": session = changing
                default: session = warm
                }
                let found = try session.decode(record, latestTimestampMs: latestTimestampMs)
                let wanted = name == "full" ? expected.limited(to: 3, &held) : expected
                #expect(found == wanted, "seed \(seed), \(name), \(record)")
                if found != wanted { return counts }
            }
            // What was bad left no trace.
            #expect(warm.series.seriesCount == met.count, "seed \(seed), \(record)")
            #expect(
                full.series.seriesCount == held.count && changing.series.seriesCount <= 4, "seed \(seed), \(record)")
        }
        return counts
    }
}
