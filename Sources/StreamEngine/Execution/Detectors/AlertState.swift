import Platform

/// The rules around a detector: how its flags become an incident. Milliseconds of event time.
struct AlertRules {
    /// How long a key must be flagged without a break before it fires.
    let forMs: Int64
    /// How long it fires on after the last flag.
    let keepFiringForMs: Int64
    /// How long after it resolved it does not fire again.
    let cooldownMs: Int64
}

/// Where a key stands between normal and firing, as Prometheus' alerts do: times are ends of windows. 33 bytes.
struct AlertState: Equatable {
    enum Phase: UInt8 {
        case normal
        /// Flagged, but not yet for long enough.
        case pending
        case firing
    }

    /// What one window says.
    enum Signal {
        case flagged
        case clear
        /// The key has no row, and that means nothing (`missing: hold`).
        case silent
    }

    enum Change {
        case fires, resolves
    }

    private(set) var phase = Phase.normal
    /// The severity's steps up or down that events brought when it fired.
    var severityShift: Int8 = 0
    /// The first flagged window of this stretch; of meaning unless normal. An incident starts here.
    private(set) var activeSinceMs: Int64 = 0
    /// Firing, but not flagged since; `Int64.min`: flagged.
    private(set) var clearSinceMs = Int64.min
    /// `Int64.min`: never.
    private(set) var resolvedAtMs = Int64.min

    init() {}

    /// Takes one window; says what changes, once.
    mutating func step(_ signal: Signal, endMs: Int64, _ rules: AlertRules) -> Change? {
        switch (signal, phase) {
        case (.silent, _), (.clear, .normal): return nil
        case (.flagged, .normal):
            phase = .pending
            activeSinceMs = endMs
            return fireIfDue(endMs, rules)
        case (.flagged, .pending): return fireIfDue(endMs, rules)
        case (.flagged, .firing):
            clearSinceMs = .min
            return nil
        case (.clear, .pending):
            phase = .normal
            return nil
        case (.clear, .firing):
            if clearSinceMs == .min { clearSinceMs = endMs }
            guard EventTime.difference(endMs, clearSinceMs) >= rules.keepFiringForMs else { return nil }
            resolve(endMs)
            return .resolves
        }
    }

    /// Ends an incident whatever the rules say: its key is forgotten.
    mutating func resolve(_ endMs: Int64) {
        phase = .normal
        clearSinceMs = .min
        resolvedAtMs = endMs
    }

    private mutating func fireIfDue(_ endMs: Int64, _ rules: AlertRules) -> Change? {
        guard EventTime.difference(endMs, activeSinceMs) >= rules.forMs else { return nil }
        if resolvedAtMs != .min, EventTime.difference(endMs, resolvedAtMs) < rules.cooldownMs { return nil }
        phase = .firing
        clearSinceMs = .min
        return .fires
    }

    func encode(to writer: inout ByteWriter) {
        writer.write(phase.rawValue)
        writer.write(severityShift)
        writer.write(activeSinceMs)
        writer.write(clearSinceMs)
        writer.write(resolvedAtMs)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let byte: UInt8 = try reader.read()
        guard let phase = Phase(rawValue: byte) else {
            throw DecodingFailure("an alert is in phase 0, 1 or 2, not \(byte)")
        }
        self.phase = phase
        severityShift = try reader.read()
        activeSinceMs = try reader.read()
        clearSinceMs = try reader.read()
        resolvedAtMs = try reader.read()
    }

    /// Bytes of `encode`.
    static let encodedBytes = 26
}
