import Connectors
import Glibc
import StreamEngine
import TestSupport
import Testing

/// What real exporters write decodes without a bad line.
@Suite struct RecordedTests {
    static func fixture(_ name: String) throws -> [UInt8] {
        let here = String(describing: #filePath)
        let folder = here[..<(here.lastIndex(of: "/") ?? here.endIndex)]
        let file = try #require(fopen("\(folder)/Fixtures/\(name)", "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes[..<count])
    }

    /// The first minutes of a node_exporter, as a file and as messages of 100 lines.
    @Test func nodeExporter() throws {
        let bytes = try Self.fixture("node.prom")
        let file = try decode(bytes, as: "prometheus", .file)
        #expect(file.bad == [])
        #expect(file.samples.count == 1956)
        #expect(file.records == 1956)
        #expect(
            file.samples[0] == #"node_boot_time_seconds{instance="node-1:9100",job="node"} 1795251539.0 1795251825000"#)
        let message = try decode(bytes, as: "prometheus")
        #expect(message.samples == file.samples)
        #expect(message.records == 1)
    }

    /// HELP and TYPE, a summary, a histogram, escapes, infinities; written after the manner of node_exporter and
    /// jmx_exporter.
    @Test func exporters() throws {
        let decoded = try decode(try Self.fixture("exporters.prom"), as: "prometheus")
        #expect(decoded.bad == [])
        #expect(
            decoded.samples == [
                #"go_gc_duration_seconds{quantile="0"} 4.0151e-05 7"#,
                #"go_gc_duration_seconds{quantile="0.5"} 0.000112041 7"#,
                #"go_gc_duration_seconds{quantile="1"} nan 7"#,
                #"go_gc_duration_seconds_sum 5.8733e-05 7"#,
                #"go_gc_duration_seconds_count 17.0 7"#,
                #"node_cpu_seconds_total{cpu="0",mode="idle"} 362812.79 7"#,
                #"node_cpu_seconds_total{cpu="0",mode="iowait"} 0.0 7"#,
                #"node_filesystem_avail_bytes{device="C:\\data",fstype="ntfs",mountpoint="/mnt/c \"quoted\""} 103079215104.0 7"#,
                #"node_filesystem_avail_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/line\nbreak"} 9.223372036854776e+18 7"#,
                #"http_request_duration_seconds_bucket{le="0.05"} 24054.0 7"#,
                #"http_request_duration_seconds_bucket{le="1"} 133988.0 7"#,
                #"http_request_duration_seconds_bucket{le="+Inf"} 144320.0 7"#,
                #"http_request_duration_seconds_sum 53423.0 7"#,
                #"http_request_duration_seconds_count 144320.0 7"#,
                #"something_weird{problem="division by zero"} inf -3982045"#,
                #"something_weird{problem="overflow"} -inf 1395066363000"#,
                #"jvm_memory_bytes_used{area="heap"} 208666624.0 7"#,
                #"jvm_memory_bytes_used{area="nonheap"} 101057536.0 7"#,
                #"java_lang_OperatingSystem_ProcessCpuLoad 0.00030120481927710846 7"#,
                #"kafka_server_BrokerTopicMetrics_Count{name="BytesInPerSec",topic="метрики"} 5e-324 7"#,
                #"metric_without_timestamp_and_labels 12.47 7"#,
            ])
    }

    /// Chunks of lines, cut anywhere between lines, give the samples of the whole.
    @Test func cutsBetweenLines() throws {
        let bytes = try Self.fixture("node.prom")
        let whole = try decode(bytes, as: "prometheus", .file)
        let series = SeriesDictionary()
        let batch = SampleBatch()
        let decoder = try format("prometheus").makeDecoder(limits: DecodeLimits())
        var random = SeededRandom(seed: 5)
        var start = 0
        var line: Int64 = 0
        while start < bytes.count {
            var end = min(bytes.count, start + 1 + random.below(5000))
            while end < bytes.count, bytes[end - 1] != 0x0A { end += 1 }
            let before = batch.records
            bytes[start..<end].withUnsafeBufferPointer {
                decoder.decode(
                    RawRecord(bytes: $0, offset: line, timestampMs: nil, linesAreRecords: true),
                    latestTimestampMs: .max, series: series, into: batch)
            }
            line += Int64(batch.records - before)
            start = end
        }
        #expect(Decoded(batch, series) == whole)
    }
}
