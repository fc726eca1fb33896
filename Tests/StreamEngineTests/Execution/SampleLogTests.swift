import Platform
import StreamEngine
import Testing

struct SampleLogTests {
    private func log(_ rows: [(series: UInt32, timeMs: Int64, value: Double)]) -> SampleLog {
        let log = SampleLog()
        rows.map(\.series).withUnsafeBufferPointer { series in
            rows.map(\.value).withUnsafeBufferPointer { values in
                rows.map(\.timeMs).withUnsafeBufferPointer { times in
                    guard let values = values.baseAddress, let times = times.baseAddress else { return }
                    log.append(series: series, values: values, timestampsMs: times)
                }
            }
        }
        return log
    }

    typealias Row = (series: UInt32, timeMs: Int64, value: Double)

    private static let extremes: [Row] = [(7, .min, .nan), (70_000, .max, -0.0), (3, -1, .infinity)]
    private static let scrapes: [Row] = (0..<300).map { i in
        let jitterMs = Int64(i * 37 % 101)
        return (UInt32(i % 7), 1_767_225_600_000 + jitterMs, Double(i) / 3)
    }

    @Test(arguments: [[], [(0, 0, 0)], extremes, scrapes])
    func encodingIsIdentity(_ rows: [Row]) throws {
        var writer = ByteWriter()
        log(rows).encode(to: &writer)
        var reader = ByteReader(writer.bytes)
        let back = SampleLog()
        try back.append(from: &reader, seriesBound: 1 << 20)
        #expect(reader.isAtEnd)
        #expect(back.count == rows.count)
        var again = ByteWriter()
        back.encode(to: &again)
        #expect(again.bytes == writer.bytes)
        // Also after windows have seen some of it.
        _ = back.sortedPrefix(rows.count / 2)
        #expect(back.sortedPrefix(rows.count).text == log(rows).sortedPrefix(rows.count).text)
    }

    @Test func prefixesGrowInAnySteps() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let rows = (0..<Int.random(in: 1...80, using: &random)).map { i in
                (series: UInt32.random(in: 0..<5), timeMs: Int64.random(in: 0..<40), value: Double(i))
            }
            let stepped = log(rows)
            var seen = 0
            while seen < rows.count {
                seen = Int.random(in: seen...rows.count, using: &random)
                #expect(stepped.sortedPrefix(seen).text == log(rows).sortedPrefix(seen).text, "\(rows)")
            }
            #expect(stepped.byteCount < rows.count * 16 + 5 * 24 + 200)
        }
    }

    @Test func aSampleTakesAtMost24Bytes() {
        let rows: [Row] = (0..<1024).map { (UInt32($0 % 500), Int64($0), 1) }
        let filling = SampleLog()
        for _ in 0..<200 {
            rows.map(\.series).withUnsafeBufferPointer { series in
                rows.map(\.value).withUnsafeBufferPointer { values in
                    rows.map(\.timeMs).withUnsafeBufferPointer { times in
                        guard let values = values.baseAddress, let times = times.baseAddress else { return }
                        filling.append(series: series, values: values, timestampsMs: times)
                    }
                }
            }
        }
        #expect(filling.byteCount <= filling.count * 24)
    }

    @Test func truncatedBytesAreAFailure() {
        var writer = ByteWriter()
        log([(1, 5, 1), (2, 6, 2)]).encode(to: &writer)
        for length in 0..<writer.bytes.count {
            var reader = ByteReader(Array(writer.bytes.prefix(length)))
            #expect(throws: DecodingFailure.self) { try SampleLog().append(from: &reader, seriesBound: 1 << 20) }
        }
    }
}

extension SortedSamples {
    /// Series by series, for comparison.
    fileprivate var text: String {
        series.enumerated().map { entry, id in
            let samples = samples(entry)
            return "\(id): " + zip(samples.timestampsMs, samples.values).map { "\($0)=\($1)" }.joined(separator: " ")
        }.joined(separator: "\n")
    }
}
