import Connectors
import StreamEngine
import Testing

/// What a record decoded to, as text that tests can compare.
struct Decoded: Equatable, CustomStringConvertible {
    /// `series value timestamp` of each sample.
    var samples: [String] = []
    /// Places of the samples.
    var places: [Int] = []
    /// `line reason` of each bad record.
    var bad: [String] = []
    var badRecords: [BadRecord] = []
    var messages: [String] = []
    var records = 0

    init(_ batch: SampleBatch, _ series: SeriesDictionary) {
        for i in 0..<batch.count {
            let id = batch.series[i]
            let labels = id == SampleBatch.overLimit ? "over limit" : series.labels(of: id)?.description ?? "forgotten"
            samples.append("\(labels) \(batch.values[i]) \(batch.timestamps[i])")
            places.append(batch.position(of: i).line)
        }
        badRecords = batch.bad
        bad = batch.bad.map { "\($0.line) \($0.reason.rawValue)" }
        messages = batch.messages.map(\.description)
        records = batch.records
    }

    /// Details are for people; tests of reasons do not compare them.
    static func == (a: Decoded, b: Decoded) -> Bool {
        a.samples == b.samples && a.places == b.places && a.bad == b.bad && a.messages == b.messages
            && a.records == b.records && a.badRecords.map(\.raw) == b.badRecords.map(\.raw)
    }

    var description: String { "samples \(samples) bad \(badRecords.map { "\($0.line) \($0.reason): \($0.detail)" })" }
}

/// How a record is handed to a decoder.
struct Given {
    var isFile = false
    var offset: Int64 = 0
    var timestampMs: Int64?
    var latestTimestampMs = Int64.max
    var limits = Self.wide
    var maxSeries = 1_000_000

    /// The limits of JOBS.md; event times in a quarter of Int64, so that tests can leave the range.
    static var wide: DecodeLimits {
        var limits = DecodeLimits()
        limits.timestampRangeMs = (Int64.min / 4)...(Int64.max / 4)
        return limits
    }

    static let message = Given(timestampMs: 7)
    static let file = Given(isFile: true)
}

func format(_ name: String) throws -> any Format {
    try #require(InputFormats.named(name))
}

/// Decodes bytes three times: fresh, again into the same batch with the same look-up tables (everything is known then,
/// and the fast paths are taken), and with every byte moved one place in memory. All must agree.
func decode(_ bytes: [UInt8], as name: String, _ given: Given = .message) throws -> Decoded {
    let series = SeriesDictionary(maxSeries: given.maxSeries)
    let batch = SampleBatch(capacity: 16)
    let decoder = try format(name).makeDecoder(limits: given.limits)
    func once(_ decoder: any RecordDecoder, _ bytes: ArraySlice<UInt8>) -> Decoded {
        batch.clear()
        bytes.withUnsafeBufferPointer { buffer in
            decoder.decode(
                RawRecord(
                    bytes: buffer, offset: given.offset, timestampMs: given.isFile ? nil : given.timestampMs,
                    linesAreRecords: given.isFile),
                latestTimestampMs: given.latestTimestampMs, series: series, into: batch)
        }
        return Decoded(batch, series)
    }
    let first = once(decoder, bytes[...])
    if name == "event-json" {
        // Repetitions are remembered: a decoder of its own.
        #expect(once(try format(name).makeDecoder(limits: given.limits), bytes[...]) == first)
        return first
    }
    #expect(once(decoder, bytes[...]) == first, "a second decode differs")
    #expect(once(decoder, ([0x7B] + bytes)[1...]) == first, "a third decode differs")
    return first
}

func decode(_ text: String, as name: String, _ given: Given = .message) throws -> Decoded {
    try decode(Array(text.utf8), as: name, given)
}
