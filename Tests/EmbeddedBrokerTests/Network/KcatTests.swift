import Glibc
import TestSupport
import Testing

@testable import EmbeddedBroker

/// kcat (librdkafka) as an unmodified client. The whole list of clients is in scripts/verify/broker.sh.
@Suite(.enabled(if: access("/usr/bin/kcat", X_OK) == 0)) struct KcatTests {
    private func shell(_ command: String) -> (output: String, status: Int32) {
        guard let pipe = popen(command, "r") else { return ("", -1) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&part, 1, part.count, pipe), count > 0 { bytes += part[..<count] }
        return (String(decoding: bytes, as: UTF8.self), pclose(pipe))
    }

    @Test(arguments: ["none", "gzip", "snappy", "lz4", "zstd"])
    func producesAndConsumes(_ codec: String) throws {
        let folder = TemporaryFolder()
        var configuration = BrokerConfiguration()
        configuration.dataDirectory = folder.path
        let (broker, port) = try withOwnPort { port in
            configuration.port = port
            let broker = EmbeddedBroker(configuration)
            return (broker, try broker.start())
        }
        defer { broker.stop() }
        let kcat = "timeout 180 kcat -q -b 127.0.0.1:\(port) -X enable.idempotence=true"
        #expect(shell("seq 1 2000 | \(kcat) -P -t t -z \(codec)").status == 0)
        broker.crash()
        try broker.start()
        let expected = (1...2000).map(String.init).joined(separator: "\n") + "\n"
        #expect(shell("timeout 180 kcat -q -b 127.0.0.1:\(port) -C -t t -e").output == expected)
    }
}
