import Platform

/// Names incidents: the same in every run over the same data.
struct IncidentIdentity {
    private let prefix: XXH64

    init(job: String, query: String, detector: String) {
        var hash = XXH64(seed: 0)
        for part in [job, query, detector] { Self.add(Array(part.utf8), to: &hash) }
        prefix = hash
    }

    /// 16 hexadecimal digits: XXH64 of job, query, detector, key and start.
    func id(of key: DetectorKey, startedAtMs: Int64) -> String {
        var hash = prefix
        for label in key.labels {
            Self.add(label.name.bytes, to: &hash)
            Self.add(label.value.bytes, to: &hash)
        }
        var writer = ByteWriter()
        writer.write(startedAtMs)
        hash.update(writer.bytes)
        let digits = String(hash.digest, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// With its length, so that no two lists of texts give the same bytes.
    private static func add(_ bytes: [UInt8], to hash: inout XXH64) {
        var writer = ByteWriter()
        writer.write(lengthPrefixed: bytes)
        hash.update(writer.bytes)
    }
}
