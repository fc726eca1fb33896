import StreamEngine

/// The messages of remote-write 1.0 (`prompb/remote.proto` and `prompb/types.proto`):
/// ```
/// WriteRequest { repeated TimeSeries timeseries = 1;  repeated MetricMetadata metadata = 3; }
/// TimeSeries   { repeated Label labels = 1;  repeated Sample samples = 2;  exemplars = 3;  histograms = 4; }
/// Label        { string name = 1;  string value = 2; }
/// Sample       { double value = 1;  int64 timestamp = 2; }
/// ```
enum WriteRequest {
    static let timeSeries: UInt64 = 1
    static let samples: UInt64 = 2
    private static let metadata: UInt64 = 3
    private static let labels: UInt64 = 1

    /// A `TimeSeries` found to be well formed.
    struct Found {
        let bytes: UnsafeBufferPointer<UInt8>
        /// The bytes of its label fields with their tags, where they stand together in front, as every encoder writes them:
        /// the series' spelling. nil where they do not.
        let spelling: UnsafeBufferPointer<UInt8>?
        /// How many bytes the label fields take with their tags.
        let labelBytes: Int
        /// The index of a series whose spelling is known; nil where its labels have yet to be read.
        var known: UInt32?
    }

    /// Gives the `TimeSeries` of a request. Refuses bytes that are not a `WriteRequest` throughout: every known field has
    /// its wire type, every length ends within its message. Labels that `series` knows as they are spelled were looked
    /// at when they were new, and are not again.
    static func check(
        _ request: UnsafeBufferPointer<UInt8>, _ series: SeriesDictionary, into found: inout [Found]
    ) throws(DecodeFault) {
        guard var fields = ProtobufFields(request) else { return }
        while let (number, payload) = try fields.next() {
            guard number == timeSeries || number == metadata else { continue }
            let one = try bytes(payload, "WriteRequest", number)
            if number == timeSeries { found.append(try checkSeries(one, series)) }
        }
    }

    @inline(__always)
    private static func checkSeries(
        _ one: UnsafeBufferPointer<UInt8>, _ series: SeriesDictionary
    ) throws(DecodeFault) -> Found {
        guard var fields = ProtobufFields(one), let base = one.baseAddress else {
            return Found(bytes: one, spelling: one, labelBytes: 0)
        }
        var labelBytes = 0
        var isTogether = true
        var start = base
        while let (number, payload) = try fields.next() {
            if number <= 4 {
                let inner = try bytes(payload, "TimeSeries", number)
                if number == labels {
                    if start != base + labelBytes { isTogether = false }
                    labelBytes += fields.at - start
                } else if number == samples {
                    _ = try sample(inner)
                }
            }
            start = fields.at
        }
        let spelling = isTogether ? UnsafeBufferPointer(start: base, count: labelBytes) : nil
        var found = Found(bytes: one, spelling: spelling, labelBytes: labelBytes)
        if isTogether, labelBytes > 0 { found.known = series.find(base, length: labelBytes) }
        if found.known == nil { try checkLabels(one) }
        return found
    }

    private static func checkLabels(_ one: UnsafeBufferPointer<UInt8>) throws(DecodeFault) {
        guard var fields = ProtobufFields(one) else { return }
        while let (number, payload) = try fields.next() {
            if number == labels { _ = try label(try bytes(payload, "TimeSeries", number)) }
        }
    }

    @inline(__always)
    private static func bytes(
        _ payload: ProtobufFields.Payload, _ message: String, _ number: UInt64
    ) throws(DecodeFault) -> UnsafeBufferPointer<UInt8> {
        guard case .bytes(let bytes) = payload else {
            throw DecodeFault(.malformed, "protobuf: field \(number) of \(message) has the wrong wire type")
        }
        return bytes
    }

    /// Value and time of a `Sample`.
    @inline(__always)
    static func sample(_ bytes: UnsafeBufferPointer<UInt8>) throws(DecodeFault) -> (value: Double, timestampMs: Int64) {
        var value = 0.0
        var timestampMs: Int64 = 0
        guard var fields = ProtobufFields(bytes) else { return (value, timestampMs) }
        while let (number, payload) = try fields.next() {
            switch (number, payload) {
            case (1, .fixed64(let bits)): value = Double(bitPattern: bits)
            case (2, .varint(let bits)): timestampMs = Int64(bitPattern: bits)
            case (1, _), (2, _):
                throw DecodeFault(.malformed, "protobuf: field \(number) of Sample has the wrong wire type")
            default: continue
            }
        }
        return (value, timestampMs)
    }

    /// Name and value of a `Label`, as they stand.
    private static func label(
        _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(DecodeFault) -> (name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        var name = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        var value = name
        guard var fields = ProtobufFields(bytes) else { return (name, value) }
        while let (number, payload) = try fields.next() {
            switch number {
            case 1: name = try Self.bytes(payload, "Label", number)
            case 2: value = try Self.bytes(payload, "Label", number)
            default: continue
            }
        }
        return (name, value)
    }

    /// How many samples a `TimeSeries` holds.
    static func sampleCount(_ one: UnsafeBufferPointer<UInt8>) throws(DecodeFault) -> Int {
        guard var fields = ProtobufFields(one) else { return 0 }
        var count = 0
        while let (number, _) = try fields.next() {
            if number == samples { count += 1 }
        }
        return count
    }

    /// The labels of a `TimeSeries`, checked.
    static func labels(
        _ one: UnsafeBufferPointer<UInt8>, maxLabels: Int
    ) throws(DecodeFault) -> SeriesLabels {
        guard var fields = ProtobufFields(one) else { throw DecodeFault(.badName, "a series without any label") }
        var name: ByteString?
        var found: [Label] = []
        while let (number, payload) = try fields.next() {
            guard number == labels else { continue }
            let label = try label(try bytes(payload, "TimeSeries", number))
            guard isText(label.name), isText(label.value) else {
                throw DecodeFault(.invalidUTF8, "a label's name or value is not UTF-8")
            }
            guard !label.name.isEmpty else { throw DecodeFault(.badLabel, "a label without name") }
            let key = ByteString(copying: label.name)
            let value = ByteString(copying: label.value)
            if key == "__name__", name == nil { name = value } else { found.append(Label(key, value)) }
        }
        try ExpositionSeries.check(found, maxLabels: maxLabels)
        let series = SeriesLabels(name: name ?? .empty, labels: found)
        guard !series.name.isEmpty || !series.labels.isEmpty else {
            throw DecodeFault(.badName, "a series without any label")
        }
        return series
    }

    private static func isText(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        return isUTF8(base, base + bytes.count)
    }
}
