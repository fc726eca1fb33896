import Platform
import StreamEngine
import Testing

@testable import Connectors

/// Decodes messages with one decoder and one dictionary, as a task does.
final class RemoteWriteBench {
    let decoder: any RecordDecoder
    let series = SeriesDictionary()
    let batch = SampleBatch(capacity: 16)

    init(_ limits: DecodeLimits = DecodeLimits()) {
        decoder = RemoteWriteFormat().makeDecoder(limits: limits)
    }

    func decode(
        message: [UInt8], latestTimestampMs: Int64 = .max, offset: Int64 = 7, linesAreRecords: Bool = false
    ) {
        message.withUnsafeBufferPointer { bytes in
            decoder.decode(
                RawRecord(bytes: bytes, offset: offset, timestampMs: 5, linesAreRecords: linesAreRecords),
                latestTimestampMs: latestTimestampMs, series: series, into: batch)
        }
    }

    func decode(request: [UInt8], latestTimestampMs: Int64 = .max) {
        decode(message: Snappy.compress(request), latestTimestampMs: latestTimestampMs)
    }

    var samples: [DecodedSample] {
        (0..<batch.count).map {
            DecodedSample(
                series.labels(of: batch.series[$0])?.description ?? "?", batch.timestamps[$0], batch.values[$0],
                place: Int(batch.places[$0]))
        }
    }

    var reasons: [BadRecordReason] { batch.bad.map(\.reason) }
}

struct RemoteWriteTests {
    private let up = ProtobufBytes.series([("__name__", "up"), ("job", "api")], [(1000, 1)])

    @Test func seriesAndSamplesInOrder() {
        let bench = RemoteWriteBench()
        bench.decode(
            request: ProtobufBytes.request([
                ProtobufBytes.series([("__name__", "up"), ("job", "a"), ("zone", "")], [(1, 1), (2, .nan), (-3, 0)]),
                ProtobufBytes.series([("job", "b"), ("__name__", "load")], [(4, -.infinity)]),
                ProtobufBytes.series([("job", "c")], [(5, 5)]),
            ]))
        #expect(
            bench.samples == [
                DecodedSample("up{job=\"a\"}", 1, 1, place: 1), DecodedSample("up{job=\"a\"}", 2, .nan, place: 2),
                DecodedSample("up{job=\"a\"}", -3, 0, place: 3),
                DecodedSample("load{job=\"b\"}", 4, -.infinity, place: 4),
                DecodedSample("{job=\"c\"}", 5, 5, place: 5),
            ])
        #expect(bench.batch.bad.isEmpty)
        #expect(bench.batch.records == 1)
        #expect(bench.batch.runs.map(\.offset) == [7])
        #expect(bench.batch.staleCount == 0)
    }

    @Test func stalenessMarkersAreKeptApartFromOtherNaNs() {
        let marker = Double(bitPattern: 0x7ff0_0000_0000_0002)
        let bench = RemoteWriteBench()
        bench.decode(
            request: ProtobufBytes.request([
                ProtobufBytes.series([("__name__", "up")], [(1, 1), (2, marker), (3, .nan)])
            ]))
        #expect(bench.batch.staleCount == 1)
        #expect(bench.samples.map(\.bits) == [Double(1).bitPattern, marker.bitPattern, Double.nan.bitPattern])
    }

    @Test func labelOrderAndSpellingsLeadToOneSeries() {
        let bench = RemoteWriteBench()
        let orders: [[(String, String)]] = [
            [("__name__", "up"), ("a", "1"), ("b", "2")], [("b", "2"), ("a", "1"), ("__name__", "up")],
            [("__name__", "up"), ("a", "1"), ("b", "2"), ("c", "")],
        ]
        for _ in 0..<3 {
            bench.decode(request: ProtobufBytes.request(orders.map { ProtobufBytes.series($0, [(1, 1)]) }))
        }
        #expect(bench.batch.count == 9)
        #expect(bench.series.seriesCount == 1)
    }

    @Test func labelsBehindSamplesAreReadTheSame() {
        var scattered = ProtobufBytes()
        scattered.field(2, bytes: ProtobufBytes.sample(1, 1))
        scattered.field(1, bytes: ProtobufBytes.label(Array("__name__".utf8), Array("up".utf8)))
        scattered.field(2, bytes: ProtobufBytes.sample(2, 2))
        scattered.field(1, bytes: ProtobufBytes.label(Array("job".utf8), Array("api".utf8)))
        let bench = RemoteWriteBench()
        for _ in 0..<2 { bench.decode(request: ProtobufBytes.request([scattered.bytes, up])) }
        #expect(bench.samples.map(\.series) == Array(repeating: "up{job=\"api\"}", count: 6))
        #expect(bench.series.seriesCount == 1)
    }

    @Test func defaultsAreProtobufs() {
        var series = ProtobufBytes()
        series.field(1, bytes: ProtobufBytes.label(Array("__name__".utf8), Array("up".utf8)))
        series.field(2, bytes: [])
        var twice = ProtobufBytes()
        twice.raw(ProtobufBytes.sample(1, 1) + ProtobufBytes.sample(2, 2))
        series.field(2, bytes: twice.bytes)
        let bench = RemoteWriteBench()
        bench.decode(request: ProtobufBytes.request([series.bytes]))
        #expect(bench.samples == [DecodedSample("up", 0, 0, place: 1), DecodedSample("up", 2, 2, place: 2)])
    }

    /// Exemplars, native histograms, metadata, and whatever a later version may add, obsolete groups included.
    @Test func whatIsNotASampleIsReadPast() {
        var series = ProtobufBytes()
        series.raw(up)
        series.field(3, bytes: [0xff, 0xff])
        series.field(4, bytes: [0x00])
        series.field(5, varint: 1 << 63)
        series.field(536_870_911, double: 1)
        series.raw([6 * 8 + 5, 1, 2, 3, 4])
        series.raw([7 * 8 + 3, 8, 1, 7 * 8 + 3, 7 * 8 + 4, 18, 1, 0, 7 * 8 + 4])
        var request = ProtobufBytes()
        request.field(2, text: "reserved")
        request.field(3, bytes: [0x0a, 0x01, 0x78])
        request.field(1, bytes: series.bytes)
        request.field(9, text: "later")
        let bench = RemoteWriteBench()
        bench.decode(request: request.bytes)
        #expect(bench.samples == [DecodedSample("up{job=\"api\"}", 1000, 1, place: 1)])
        #expect(bench.batch.bad.isEmpty)
    }

    @Test func anEmptyRequestIsNothing() {
        let bench = RemoteWriteBench()
        bench.decode(request: [])
        #expect(bench.batch.count == 0 && bench.batch.bad.isEmpty && bench.batch.records == 1)
    }

    @Test(
        arguments: [
            ("field 0", [0x02, 0x00]), ("field number of 30 bits", [0x82, 0x80, 0x80, 0x80, 0x20, 0x00]),
            ("wire type 6", [0x0e, 0x00]), ("wire type 7", [0x0f, 0x00]), ("a group's end alone", [0x0c]),
            ("timeseries as varint", [0x08, 0x01]), ("metadata as varint", [0x18, 0x01]),
            ("length beyond the end", [0x0a, 0x05, 0x00]),
            ("length of 2^63", [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            ("length of 2^64", [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]),
            ("endless varint", [0x0a] + Array(repeating: 0xff, count: 30)), ("cut tag", [0x80]), ("cut length", [0x0a]),
            ("cut fixed64", [0x49, 1, 2, 3]), ("cut fixed32", [0x4d, 1, 2, 3]), ("open group", [0x4b, 0x08, 0x01]),
            ("group closed as another", [0x4b, 0x54]), ("200 groups", Array(repeating: 0x4b, count: 200)),
            ("labels as varint", [0x0a, 0x02, 0x08, 0x01]), ("samples as fixed64", [0x0a, 0x02, 0x11, 0x01]),
            ("a label's name as varint", [0x0a, 0x04, 0x0a, 0x02, 0x08, 0x01]),
            ("a value as varint", [0x0a, 0x04, 0x12, 0x02, 0x08, 0x01]),
            ("a time as bytes", [0x0a, 0x05, 0x12, 0x03, 0x12, 0x01, 0x00]),
            ("a sample longer than its series", [0x0a, 0x03, 0x12, 0x09, 0x09, 1, 2, 3, 4, 5, 6, 7, 8]),
        ] as [(String, [UInt8])])
    func malformedBytesCostTheMessage(name: String, tail: [UInt8]) throws {
        let bench = RemoteWriteBench()
        let message = Snappy.compress(ProtobufBytes.request([up]) + tail)
        bench.decode(message: message)
        #expect(bench.reasons == [.malformed], "\(name)")
        #expect(bench.batch.count == 0)
        let bad = try #require(bench.batch.bad.first)
        #expect(bad.raw == message && bad.offset == 7 && bad.line == 1 && bad.recordTimestampMs == 5)
        #expect(bench.series.seriesCount == 0)
    }

    @Test(
        arguments: [
            ("no label", [], .badName), ("no name and no value", [("__name__", "")], .badName),
            ("an empty label name", [("__name__", "up"), ("", "x")], .badLabel),
            ("a label twice", [("__name__", "up"), ("a", "1"), ("a", "1")], .duplicateLabel),
            ("the name twice", [("__name__", "up"), ("__name__", "up")], .duplicateLabel),
            ("too many", [("__name__", "up"), ("a", "1"), ("b", "1"), ("c", "1")], .tooManyLabels),
            ("too long", [("__name__", "up"), ("a", String(repeating: "x", count: 200))], .lineTooLong),
        ] as [(String, [(String, String)], BadRecordReason)])
    func aSeriesWithBadLabelsCostsItself(name: String, labels: [(String, String)], reason: BadRecordReason) throws {
        var limits = DecodeLimits()
        limits.maxLabelsPerSeries = 2
        limits.maxLineBytes = 100
        let bench = RemoteWriteBench(limits)
        let broken = ProtobufBytes.series(labels, [(1, 1), (2, 2)])
        bench.decode(request: ProtobufBytes.request([up, broken, up]))
        #expect(bench.reasons == [reason], "\(name)")
        #expect(bench.samples.map(\.place) == [1, 4])
        let bad = try #require(bench.batch.bad.first)
        #expect(bad.raw == broken && bad.line == 2)
    }

    @Test(arguments: [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x61, 0xe2, 0x82]] as [[UInt8]])
    func labelsAreUTF8(bytes: [UInt8]) {
        let bench = RemoteWriteBench()
        for label in [ProtobufBytes.label(bytes, [0x61]), ProtobufBytes.label([0x61], bytes)] {
            var series = ProtobufBytes()
            series.field(1, bytes: label)
            series.field(2, bytes: ProtobufBytes.sample(1, 1))
            bench.decode(request: ProtobufBytes.request([series.bytes, up]))
        }
        #expect(bench.reasons == [.invalidUTF8, .invalidUTF8])
        #expect(bench.batch.count == 2)
    }

    @Test func aSampleOutOfRangeOrTooFarAheadCostsItself() {
        var limits = DecodeLimits()
        limits.timestampRangeMs = -1_000_000...1_000_000
        let bench = RemoteWriteBench(limits)
        bench.decode(
            request: ProtobufBytes.request([
                ProtobufBytes.series([("__name__", "up")], [(1, 1), (.max, 2), (101, 3), (100, 4), (.min, 5)])
            ]), latestTimestampMs: 100)
        #expect(bench.reasons == [.timestampOutOfRange, .futureTimestamp, .timestampOutOfRange])
        #expect(bench.batch.bad.map(\.line) == [2, 3, 5])
        #expect(bench.samples.map(\.place) == [1, 4])
    }

    @Test func badSamplesAloneLeaveNoSeries() {
        let bench = RemoteWriteBench()
        bench.decode(
            request: ProtobufBytes.request([ProtobufBytes.series([("__name__", "up")], [(101, 3)])]),
            latestTimestampMs: 100)
        #expect(bench.series.seriesCount == 0)
    }

    @Test func compressionIsCheckedBeforeMemoryIsSpent() {
        var limits = DecodeLimits()
        limits.maxMessageBytes = 1000
        let bench = RemoteWriteBench(limits)
        bench.decode(message: [])
        bench.decode(message: Array("up 1\n".utf8))
        bench.decode(message: [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00])
        bench.decode(message: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
        bench.decode(message: Snappy.compress([UInt8](repeating: 0, count: 1001)))
        bench.decode(message: [UInt8](repeating: 0, count: 1001))
        bench.decode(message: Array(Snappy.compress(ProtobufBytes.request([up])).dropLast()))
        #expect(
            bench.reasons == [
                .badCompression, .badCompression, .messageTooLarge, .badCompression, .messageTooLarge,
                .messageTooLarge, .badCompression,
            ])
        #expect(bench.batch.records == 7)
    }

    @Test func linesOfAFileAreRefused() {
        let bench = RemoteWriteBench()
        bench.decode(message: Snappy.compress(ProtobufBytes.request([up])), linesAreRecords: true)
        #expect(bench.reasons == [.malformed] && bench.batch.count == 0)
    }

    @Test func seriesBeyondTheLimitAreMarked() {
        let series = SeriesDictionary(maxSeries: 1)
        let batch = SampleBatch()
        let other = ProtobufBytes.series([("__name__", "down")], [(1, 1), (2, 2)])
        let decoder = RemoteWriteFormat().makeDecoder(limits: DecodeLimits())
        Snappy.compress(ProtobufBytes.request([up, other, up])).withUnsafeBufferPointer {
            decoder.decode(
                RawRecord(bytes: $0, offset: 0, timestampMs: nil, linesAreRecords: false),
                latestTimestampMs: .max, series: series, into: batch)
        }
        #expect((0..<4).map { batch.series[$0] } == [0, SampleBatch.overLimit, SampleBatch.overLimit, 0])
    }
}
