import StreamEngine
import Testing

@testable import Connectors

@Suite struct SampleJSONSpellingTests {
    /// A scrape like the one before is foreseen from sample to sample; one byte that differs is enough for a look-up.
    @Test(arguments: [
        (#""name":"#, #""m_I","labels":{"__name__":"m_I","a":"x"}"#),
        (#""name":"#, #""m_I","labels":{"__name__":"m_I"}"#),
        (#""name":"#, #""m_I", "labels": {"__name__": "m_I", "a": "x"}"#),
        (#""name":"#, #""m_I","labels":{"a":"x","__name__":"m_I"}"#),
        (#""name":"#, #""_I","labels":{"__name__":"_I","a":"x"}"#),
        (#""name":"#, #""m_I","labels":{"a":"x"}"#),
        (#""labels":"#, #"{"__name__":"m_I","a":"x"},"name":"m_I""#),
    ])
    func aScrapeIsForeseen(key: String, form: String) throws {
        let spellings = (100..<150).map { index in
            form.split(separator: "I", omittingEmptySubsequences: false).joined(separator: "\(index)")
        }
        let lines = spellings.map { #"{"timestamp":5,"value":1,\#(key)\#($0)}"# }.joined(separator: "\n")
        let series = SeriesDictionary()
        let batch = SampleBatch()
        let decoder = try format("sample-json").makeDecoder(limits: DecodeLimits())
        for _ in 0..<2 {
            Array(lines.utf8).withUnsafeBufferPointer {
                decoder.decode(
                    RawRecord(bytes: $0, offset: 0, timestampMs: nil, linesAreRecords: true), latestTimestampMs: .max,
                    series: series, into: batch)
            }
        }
        #expect(batch.count == 100 && series.seriesCount == 50)
        func predict(_ bytes: [UInt8]) throws -> (series: UInt32, length: Int)? {
            try bytes.withUnsafeBufferPointer {
                let base = try #require($0.baseAddress)
                return SampleJSONSpelling.predict(base, base + $0.count, series)
            }
        }
        for (index, spelling) in spellings.enumerated() {
            let bytes = Array(spelling.utf8)
            for place in bytes.indices {
                var other = bytes
                other[place] ^= 1
                #expect(try predict(other) == nil, "byte \(place) of \(spelling)")
            }
            #expect(try predict(Array(bytes.dropLast())) == nil)
            let found = try #require(try predict(bytes + [0x7D]), "\(spelling)")
            #expect(found.series == UInt32(index) && found.length == bytes.count)
        }
    }
}
