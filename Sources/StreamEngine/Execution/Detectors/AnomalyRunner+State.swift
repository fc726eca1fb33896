import Platform

extension AnomalyRunner {
    /// Writes everything the next window needs.
    func encode(to writer: inout ByteWriter) {
        var own = ByteWriter()
        keys.encode(to: &own)
        for alert in alerts { alert.encode(to: &own) }
        for count in observed { own.writeVarint(UInt64(count)) }
        groups?.encode(to: &own)
        own.writeOptional(lastWindow)
        own.writeCount(waiting.count)
        for window in waiting { window.encode(to: &own) }
        var learned = ByteWriter()
        detector.encode(to: &learned)
        writer.write(plan.fingerprint)
        writer.write(plan.definition.groupInto.joined(separator: ","))
        writer.write(lengthPrefixed: own.bytes)
        writer.write(lengthPrefixed: learned.bytes)
    }

    /// Reads it back into a fresh runner. Where the detector's settings were changed since, it keeps its keys and alerts,
    /// so that what fired resolves once, and learns anew.
    func decode(from reader: inout ByteReader, nowMs: Int64) throws(DecodingFailure) {
        let isSameDetector = try reader.readString() == plan.fingerprint
        let isSameGrouping = try reader.readString() == plan.definition.groupInto.joined(separator: ",")
        var own = ByteReader(try reader.readLengthPrefixed())
        var learned = ByteReader(try reader.readLengthPrefixed())
        // Incidents of other groups cannot be told apart from the keys' own: they begin anew.
        guard isSameGrouping else { return }
        keys = try DetectorKeys(from: &own)
        for index in 0..<keys.count { adopt(index) }
        for index in 0..<keys.count { alerts[index] = try AlertState(from: &own) }
        for index in 0..<keys.count {
            let count = try own.readVarint()
            observed[index] = isSameDetector ? UInt32(clamping: count) : 0
        }
        try groups?.decode(from: &own, alerts: alerts)
        lastWindow = try own.readOptional()
        for _ in 0..<(try own.readCount(bytesEach: 9)) {
            waiting.append(try EmittedWindow(from: &own, of: query.window, keyCount: keys.count, nowMs: nowMs))
        }
        guard own.isAtEnd else { throw DecodingFailure("detector \(plan.name): \(own.remaining) bytes too many") }
        guard isSameDetector else { return }
        try detector.decode(from: &learned)
        guard learned.isAtEnd else {
            throw DecodingFailure("detector \(plan.name): \(learned.remaining) bytes of its states too many")
        }
    }

    /// Bytes held.
    var byteCount: Int {
        detector.byteCount + keys.count * AnomalyPlan.bytesPerKey
            + waiting.reduce(0) { $0 + $1.keys.count * 13 }
    }
}
