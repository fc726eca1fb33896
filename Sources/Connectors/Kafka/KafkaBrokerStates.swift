/// Reads the brokers' states out of librdkafka's statistics: it has no event for a connection that came back.
///
/// The document is librdkafka's own (STATISTICS.md): `"brokers":{ "host:9092/1": { "name":"host:9092/1", …,
/// "state":"UP", … }, … }, "topics":{ …`. Only that part is looked at. O(bytes of it).
enum KafkaBrokerStates {
    /// Addresses of the brokers whose connection is up, without the node id.
    static func up(in statistics: UnsafeBufferPointer<UInt8>) -> [String] {
        var result: [String] = []
        guard var at = find(#""brokers":"#, in: statistics, from: 0) else { return [] }
        let end = find(#""topics":"#, in: statistics, from: at) ?? statistics.count
        while let name = find(#""name":""#, in: statistics, from: at), name < end {
            guard let nameEnd = find("\"", in: statistics, from: name),
                let state = find(#""state":""#, in: statistics, from: nameEnd - 1), state < end,
                let stateEnd = find("\"", in: statistics, from: state)
            else { break }
            if String(decoding: statistics[state..<(stateEnd - 1)], as: UTF8.self) == "UP" {
                result.append(address(String(decoding: statistics[name..<(nameEnd - 1)], as: UTF8.self)))
            }
            at = stateEnd
        }
        return result
    }

    /// `localhost:9092` of `localhost:9092/1` or `sasl_ssl://localhost:9092/bootstrap`.
    static func address(_ name: String) -> String {
        var text = Substring(name)
        if let scheme = text.firstRange(of: "://") { text = text[scheme.upperBound...] }
        if let slash = text.lastIndex(of: "/") { text = text[..<slash] }
        return String(text)
    }

    /// The place after the next occurrence of `pattern`.
    private static func find(_ pattern: StaticString, in bytes: UnsafeBufferPointer<UInt8>, from: Int) -> Int? {
        let length = pattern.utf8CodeUnitCount
        guard from >= 0, bytes.count - from >= length else { return nil }
        for at in from...(bytes.count - length) where bytes[at] == pattern.utf8Start[0] {
            var matched = 1
            while matched < length, bytes[at + matched] == pattern.utf8Start[matched] { matched += 1 }
            if matched == length { return at + length }
        }
        return nil
    }
}
