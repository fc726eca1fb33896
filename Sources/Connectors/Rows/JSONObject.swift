import StreamEngine

/// Builds one JSON object, member by member. For documents of some size or number; rows have their own encoder.
struct JSONObject {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]

    /// The object with its closing brace.
    var closed: [UInt8] { bytes + [UInt8(ascii: "}")] }

    /// The object without its closing brace.
    var open: [UInt8] { bytes }

    private mutating func begin(_ name: some Collection<UInt8>) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        JSONText.appendString(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }

    mutating func add(_ name: some Collection<UInt8>, text: some Collection<UInt8>) {
        begin(name)
        JSONText.appendString(text, to: &bytes)
    }

    mutating func add(_ name: String, text: some Collection<UInt8>) { add(name.utf8, text: text) }

    mutating func add(_ name: String, integer: Int64) {
        begin(name.utf8)
        NumberText.append(integer, to: &bytes)
    }

    mutating func add(_ name: String, number: Double) {
        begin(name.utf8)
        JSONText.appendNumber(number, to: &bytes)
    }

    /// RFC 3339, or null.
    mutating func add(_ name: String, timeMs: Int64?) {
        begin(name.utf8)
        guard let timeMs else { return bytes.append(contentsOf: "null".utf8) }
        bytes.append(UInt8(ascii: "\""))
        EventTime.appendRFC3339(timeMs, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func addNull(_ name: String) { add(name, raw: Array("null".utf8)) }

    mutating func add(_ name: String, boolean: Bool) { add(name, raw: Array((boolean ? "true" : "false").utf8)) }

    /// Text that is JSON already.
    mutating func add(_ name: String, raw: [UInt8]) {
        begin(name.utf8)
        bytes.append(contentsOf: raw)
    }
}
