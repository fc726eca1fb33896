import Connectors
import Generator
import Platform
import StreamEngine

/// Feeds a captured file into a topic, at the pace of its own times or faster.
struct CaptureFeed {
    /// Lines gathered into one message at most, bytes.
    private static let messageBytes = 64 << 10

    let path: String
    let format: WorkloadFormat
    let partitions: Int
    /// nil: as fast as possible.
    let speed: Double?
    /// Whether lines get times that end at the clock's time when the feeding ends; else they keep theirs.
    let restamps: Bool

    /// First and last time of the capture, ms; nil without any.
    func bounds() throws -> (firstMs: Int64, lastMs: Int64)? {
        var found: (firstMs: Int64, lastMs: Int64)?
        try forEachLine { line in
            guard let ms = CaptureLine(line, format).timestampMs else { return true }
            found = found.map { (min($0.firstMs, ms), max($0.lastMs, ms)) } ?? (ms, ms)
            return true
        }
        return found
    }

    /// Feeds it all; returns the number of samples. Times are shifted, never stretched: rates stay what they are.
    func run(into target: any WorkloadTarget, _ stop: StopRequest, _ progress: (Int) -> Void) throws -> Int {
        guard let bounds = try bounds() else {
            throw UsageError(
                "\(path) has no line with a time", hint: "check --format; it is read as \(format.rawValue)")
        }
        let nowMs = SystemClock().wallMs()
        let lengthMs = bounds.lastMs - bounds.firstMs
        // The last line is to come at its own time; so none is ever ahead of the clock.
        let endMs = nowMs + (speed.map { Int64(Double(lengthMs) / $0) } ?? 0)
        let shiftMs = restamps ? endMs - bounds.lastMs : 0
        let pacer = Pacer(speed: speed, startMs: bounds.firstMs)
        var buffers = (0..<partitions).map { _ in [UInt8]() }
        var currentMs = bounds.firstMs
        var samples = 0
        func flush() throws {
            for partition in buffers.indices where !buffers[partition].isEmpty {
                try target.write(buffers[partition], partition: partition, key: "capture-\(partition)")
                buffers[partition].removeAll(keepingCapacity: true)
            }
        }
        try forEachLine { line in
            let parts = CaptureLine(line, format)
            if let ms = parts.timestampMs, ms > currentMs {
                try flush()
                currentMs = ms
                try pacer.wait(for: ms, stop) {
                    try target.serve()
                    progress(samples)
                }
            }
            guard !stop.isRequested else { return false }
            guard line.first != UInt8(ascii: "#") else {
                // Types and comments concern every partition.
                for partition in buffers.indices {
                    buffers[partition].append(contentsOf: line)
                    buffers[partition].append(0x0A)
                }
                // Behind `# EOF` nothing is read of a message.
                if line.elementsEqual("# EOF".utf8) { try flush() }
                return true
            }
            let partition = Int(parts.keyHash(in: line) % UInt64(partitions))
            if let ms = parts.timestampMs {
                parts.append(line, at: ms + shiftMs, format, to: &buffers[partition])
            } else {
                buffers[partition].append(contentsOf: line)
            }
            buffers[partition].append(0x0A)
            samples += 1
            if buffers[partition].count >= Self.messageBytes { try flush() }
            if samples % 10_000 == 0 { progress(samples) }
            return true
        }
        try flush()
        return samples
    }

    /// Calls `body` with each line, without its line end, until it says false.
    private func forEachLine(_ body: (UnsafeBufferPointer<UInt8>) throws -> Bool) throws {
        guard let reader = try FileInput.partitions(source: "capture", path: path, maxLineBytes: 1 << 20).first else {
            return
        }
        defer { reader.close() }
        var goesOn = true
        while goesOn {
            let outcome = try reader.read(maxBytes: 1 << 18) { record in
                var start = 0
                while goesOn, start < record.bytes.count {
                    var end = start
                    while end < record.bytes.count, record.bytes[end] != 0x0A { end += 1 }
                    if end > start { goesOn = try body(UnsafeBufferPointer(rebasing: record.bytes[start..<end])) }
                    start = end + 1
                }
            }
            if case .endOfInput = outcome { return }
        }
    }
}
