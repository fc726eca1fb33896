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

    private static let extremes: [Row] = [(7, .min, .nan), (.max, .max, -0.0), (3, -1, .infinity)]
    private static let scrapes: [Row] = (0..<300).map { i in
        let jitterMs = Int64(i * 37 % 101)
        return (UInt32(i % 7), 1_767_225_600_000 + jitterMs, Double(i) / 3)
    }

    @Test(arguments: [[], [(0, 0, 0)], extremes, scrapes])
    func encodingIsIdentity(_ rows: [Row]) throws {
        var writer = ByteWriter()
        log(rows).encode(to: &writer)
        var reader = ByteReader(writer.bytes)
        let back = try SampleLog(from: &reader)
        #expect(reader.isAtEnd)
        #expect(back.series == rows.map(\.series))
        #expect(back.timestampsMs == rows.map(\.timeMs))
        #expect(back.values.map(\.bitPattern) == rows.map(\.value.bitPattern))
    }

    @Test func truncatedBytesAreAFailure() {
        var writer = ByteWriter()
        log([(1, 5, 1), (2, 6, 2)]).encode(to: &writer)
        for length in 0..<writer.bytes.count {
            var reader = ByteReader(Array(writer.bytes.prefix(length)))
            #expect(throws: DecodingFailure.self) { _ = try SampleLog(from: &reader) }
        }
    }
}
