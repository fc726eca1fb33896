import StreamEngine
import Testing

@testable import Connectors

/// sample-json: what was read before, and which way an object was read, change nothing.
@Suite struct SampleJSONAgreementTests {
    private static var limits: DecodeLimits {
        var limits = DecodeLimits()
        limits.maxLineBytes = 300
        limits.maxLabelsPerSeries = 3
        limits.timestampRangeMs = (Int64.min / 4)...(Int64.max / 4)
        return limits
    }

    private static let latestTimestampMs: Int64 = 1_767_225_602_000

    /// An element that has no fast path, and takes each object as if it were the first.
    private struct ForgetfulElement: JSONElement {
        let limits: DecodeLimits

        func parse(
            _ at: inout BytePointer, _ end: BytePointer
        ) throws(DecodeFault) -> SampleJSONElement.Fields {
            var element = SampleJSONElement(limits: limits)
            return try element.parse(&at, end)
        }

        func accept(
            _ fields: SampleJSONElement.Fields, place: Int, _ context: RecordContext, _ series: SeriesDictionary,
            _ batch: SampleBatch
        ) throws(DecodeFault) {
            var element = SampleJSONElement(limits: limits)
            let own = SeriesDictionary()
            let one = SampleBatch()
            try element.accept(fields, place: place, context, own, one)
            let labels = own.labels(of: one.series[0])
            // Whatever way it went, the strict one gives the same.
            let strict = try SampleJSONSeries.read(name: fields.name, labels: fields.labels, maxLabels: 3)
            #expect(labels == strict)
            batch.append(
                series: series.index(of: strict), timestampMs: one.timestamps[0], value: one.values[0],
                place: one.places[0])
        }
    }

    private static func member(_ text: inout HostileText, _ key: String, _ value: [UInt8]) -> [UInt8] {
        let key = text.chance(60) ? "\\u00\(String(key.utf8.first ?? 0x61, radix: 16))\(key.dropFirst())" : key
        return blank(&text) + Array("\"\(key)\"".utf8) + blank(&text) + [0x3A] + blank(&text) + value + blank(&text)
    }

    private static func blank(_ text: inout HostileText) -> [UInt8] {
        guard text.chance(60) else { return [] }
        return Array(text.pick([" ", "  ", "\t", " ", "\r", "\n"]).utf8)
    }

    private static func quoted(_ bytes: [UInt8]) -> [UInt8] { [0x22] + bytes + [0x22] }

    /// Name and labels of a series, as members.
    private static func series(_ text: inout HostileText) -> [[UInt8]] {
        if text.chance(3) {
            // As the prometheus-kafka-adapter writes it, few different ones; some have another name beside the labels'.
            let again = text.pick(["m", "up"])
            let name = text.chance(3) ? text.pick(["m", "up", "u"]) : again
            let labels = #"{"__name__":"\#(again)","a":"v\#(text.random.below(2))"}"#
            return [Array("\"name\":\"\(name)\"".utf8), Array("\"labels\":\(labels)".utf8)]
        }
        let name = text.metricName()
        var labels: [[UInt8]] = []
        for _ in 0..<text.random.below(text.chance(10) ? 6 : 3) {
            let value =
                text.chance(40)
                ? Array(text.pick(["1", "null", "{}", "[\"}\"]", "true"]).utf8) : quoted(text.labelValue())
            labels.append(blank(&text) + quoted(text.labelName()) + blank(&text) + [0x3A] + blank(&text) + value)
        }
        if !text.chance(3) {
            let again = text.chance(10) ? text.metricName() : name
            let place = text.chance(3) ? text.random.below(labels.count + 1) : 0
            labels.insert(Array("\"__name__\":".utf8) + quoted(again), at: place)
        }
        let object = [0x7B] + Array(labels.joined(separator: [0x2C])) + blank(&text) + [0x7D]
        var members: [[UInt8]] = []
        if !text.chance(40) {
            members.append(member(&text, "name", text.chance(30) ? Array("null".utf8) : quoted(name)))
        }
        if !text.chance(40) { members.append(member(&text, "labels", text.chance(30) ? Array("[]".utf8) : object)) }
        if text.chance(3) { members.reverse() }
        return members
    }

    /// An object of a series; now and then its labels in another order.
    private static func object(_ text: inout HostileText, _ series: [[UInt8]]) -> [UInt8] {
        var before: [[UInt8]] = []
        var after: [[UInt8]] = []
        func put(_ member: [UInt8]) { if text.chance(2) { before.append(member) } else { after.append(member) } }
        if !text.chance(40) {
            let number = text.number()
            put(member(&text, "value", text.chance(2) ? quoted(number) : number))
        }
        if !text.chance(40) { put(member(&text, "timestamp", time(&text))) }
        if text.chance(20) {
            put(member(&text, "other", Array(text.pick(["{\"name\":\"z\"}", "[1,{}]", "null", "\"}\""]).utf8)))
        }
        if text.chance(30) { put(series.first ?? []) }
        if text.chance(30), series.count == 2 {
            after.insert(series[1], at: 0)
            before.append(series[0])
            before.append(member(&text, "between", Array("1".utf8)))
        } else {
            before += series
        }
        return [0x7B] + Array((before + after).joined(separator: [0x2C])) + [0x7D]
    }

    private static func time(_ text: inout HostileText) -> [UInt8] {
        if text.chance(3) { return text.timestamp() }
        guard text.chance(4) else { return Array("\"2026-01-01T00:00:0\(text.random.below(3))Z\"".utf8) }
        if text.chance(6) { return quoted([UInt8](repeating: 0, count: 10) + Array("T00:00:00Z".utf8)) }
        return Array(
            text.pick([
                "null", "\"2026-01-01\"", "\"2026-13-01T00:00:00Z\"", "\"2026-01-01T00:00:00.1234Z\"",
                "\"2026-01-01T24:00:00Z\"", "\"2026-01-01T00:00:60Z\"", "\"2026-01-01T02:00:00+02:00\"", "\"\"",
                "\"2025-12-31t23:59:59.9z\"", "\"2026-01-01T00:00:00.Z\"", "\"2026-01-01T00:00:0\\u0030Z\"", "{}",
            ]).utf8)
    }

    private static func records(_ text: inout HostileText) -> [HostileRecord] {
        let scrape = (0...text.random.below(7)).map { _ in series(&text) }
        return (0...text.random.below(4)).map { _ in
            var objects: [[UInt8]] = []
            var next = 0
            for _ in 0..<text.random.below(12) {
                if text.chance(6) { next = text.random.below(scrape.count) }
                var one = object(&text, scrape[next % scrape.count])
                next += 1
                if text.chance(25) { text.damage(&one) }
                objects.append(one)
            }
            var bytes: [UInt8] = []
            if text.chance(3) {
                // One array, over one line or many.
                let separator = Array(text.pick([",", ", ", ",\n", " ,\n\t", ",\r\n"]).utf8)
                bytes = blank(&text) + [0x5B] + objects.joined(separator: separator) + [0x5D] + blank(&text)
            } else if text.chance(4) {
                bytes = blank(&text) + (objects.first ?? []) + blank(&text)
            } else {
                for one in objects {
                    if text.chance(20) { bytes += Array(text.pick([" ", "\t", "[", "\u{FEFF}"]).utf8) }
                    bytes += one
                    if text.chance(25) { bytes += Array(text.pick(["{}", "]", "}", ",", " x", "\"", "[]"]).utf8) }
                    bytes += text.lineEnd()
                }
            }
            if text.chance(10) { text.damage(&bytes) }
            let isFile = text.chance(2)
            return HostileRecord(bytes: bytes, isFile: isFile, timestampMs: isFile || text.chance(4) ? nil : 7)
        }
    }

    @Test func everyWayToReadAnObjectAgrees() throws {
        var (samples, bad) = (0, 0)
        for seed in HostileText.seeds {
            var text = HostileText(seed: seed)
            let counts = try DecoderAgreement.check(
                Self.records(&text), seed: seed, latestTimestampMs: Self.latestTimestampMs,
                decoder: { SampleJSONFormat().makeDecoder(limits: Self.limits) },
                reference: {
                    try DecodingSession(
                        JSONDecoder(limits: Self.limits, element: ForgetfulElement(limits: Self.limits))
                    ).decode($0, latestTimestampMs: Self.latestTimestampMs)
                })
            samples += counts.samples
            bad += counts.bad
        }
        #expect(samples > 300 && bad > 300)
    }
}
