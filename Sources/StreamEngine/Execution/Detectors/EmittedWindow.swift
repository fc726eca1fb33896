import Platform

/// The final rows of one window as a detector's owner sees them.
struct EmittedWindow {
    /// The window's number.
    let number: Int64
    /// Keys of the rows by the detector's own index, in key order.
    var keys: [UInt32]
    /// The cells of the detector's column; 0 where null.
    let values: [Double]
    /// Whether the cell is a number (not null).
    let present: [Bool]
    /// Wall clock at which it was emitted, ms: `maxWait` counts from here. Not kept over a restart.
    let emittedAtMs: Int64

    func encode(to writer: inout ByteWriter) {
        writer.write(number)
        writer.writeCount(keys.count)
        for row in keys.indices {
            writer.writeVarint(UInt64(keys[row]))
            writer.write(present[row] ? UInt8(1) : 0)
            writer.write(values[row])
        }
    }

    init(number: Int64, keys: [UInt32], values: [Double], present: [Bool], emittedAtMs: Int64) {
        self.number = number
        self.keys = keys
        self.values = values
        self.present = present
        self.emittedAtMs = emittedAtMs
    }

    init(
        from reader: inout ByteReader, of spec: WindowSpec, keyCount: Int, nowMs: Int64
    ) throws(DecodingFailure) {
        let number: Int64 = try reader.read()
        guard spec.holds(window: number) else { throw DecodingFailure("window \(number) lies outside of time") }
        let count = try reader.readCount(bytesEach: 10)
        var keys: [UInt32] = []
        var values: [Double] = []
        var present: [Bool] = []
        for _ in 0..<count {
            let key = try reader.readVarint()
            guard key < UInt64(keyCount) else { throw DecodingFailure("key \(key) of \(keyCount)") }
            keys.append(UInt32(key))
            present.append(try reader.readFlag())
            values.append(try reader.readDouble())
        }
        self.init(number: number, keys: keys, values: values, present: present, emittedAtMs: nowMs)
    }
}
