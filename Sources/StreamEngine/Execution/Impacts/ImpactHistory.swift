import Platform

/// The latest values of one key, by window.
struct ImpactHistory {
    private var numbers: [Int64] = []
    private var values: [Double] = []
    /// What lies before was forgotten.
    private var first = 0

    var isEmpty: Bool { first == numbers.count }

    /// Takes a window's value; windows come in order.
    mutating func append(_ window: Int64, _ value: Double) {
        numbers.append(window)
        values.append(value)
    }

    /// Forgets the windows that start at or before a time.
    mutating func forget(throughStartMs startMs: Int64, _ spec: WindowSpec) {
        while first < numbers.count, spec.startMs(numbers[first]) <= startMs { first += 1 }
        guard first > 16, first * 2 >= numbers.count else { return }
        numbers.removeFirst(first)
        values.removeFirst(first)
        first = 0
    }

    /// The mean over the windows that lie wholly within `[fromMs, toMs]`, and how many there are. Windows weigh the same; the
    /// sum is compensated (A. Neumaier, ZAMM 1974).
    func mean(fromMs: Int64, toMs: Int64, _ spec: WindowSpec) -> (mean: Double?, count: Int) {
        var sum = 0.0
        var lost = 0.0
        var count = 0
        for place in first..<numbers.count {
            let window = numbers[place]
            guard spec.startMs(window) >= fromMs, spec.endMs(window) <= toMs else { continue }
            let value = values[place]
            let next = sum + value
            lost += sum.magnitude >= value.magnitude ? (sum - next) + value : (value - next) + sum
            sum = next
            count += 1
        }
        guard count > 0 else { return (nil, 0) }
        // With an infinity or NaN in it nothing was lost that could be made good.
        return ((sum.isFinite ? sum + lost : sum) / Double(count), count)
    }

    func encode(to writer: inout ByteWriter) {
        writer.writeCount(numbers.count - first)
        for place in first..<numbers.count {
            writer.write(numbers[place])
            writer.write(values[place])
        }
    }

    init() {}

    init(from reader: inout ByteReader, _ spec: WindowSpec) throws(DecodingFailure) {
        for _ in 0..<(try reader.readCount(bytesEach: 16)) {
            let window: Int64 = try reader.read()
            guard spec.holds(window: window), window > numbers.last ?? .min else {
                throw DecodingFailure("window \(window) is out of order, or lies outside of time")
            }
            append(window, try reader.readDouble())
        }
    }

    var byteCount: Int { numbers.count * 16 }
}
