import Platform

/// What a detector remembers of one key: a value that is encoded and read back bit for bit.
public protocol DetectorState: Sendable {
    func encode(to writer: inout ByteWriter)
    init(from reader: inout ByteReader) throws(DecodingFailure)
    /// Bytes held outside the value itself (a history).
    var heapBytes: Int { get }
}

extension DetectorState {
    public var heapBytes: Int { 0 }
}

/// One tick of one key.
public struct DetectorTick: Sendable, BitwiseCopyable {
    public let windowStartMs: Int64
    public let windowEndMs: Int64
    /// 0 where missing.
    public let value: Double
    /// Whether the key has a value in this window.
    public let isPresent: Bool

    /// A tick.
    @inlinable
    public init(windowStartMs: Int64, windowEndMs: Int64, value: Double, isPresent: Bool) {
        self.windowStartMs = windowStartMs
        self.windowEndMs = windowEndMs
        self.value = value
        self.isPresent = isPresent
    }
}

/// A detector that looks at each key alone: its parameters, and how a key's state and next tick give a verdict.
public protocol DetectorModel: Sendable {
    associatedtype State: DetectorState
    /// The state of a key that was never seen.
    func makeState() -> State
    /// Judges a tick by what the state holds, then learns from it.
    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict
    /// One sentence about a flagged tick, without a full stop. `state` is as it stands after the tick was learnt.
    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String

    /// The loop over a window. Every model gets it from the extension below and none writes its own: it is a requirement
    /// because the witness of a concrete model is specialised where a generic class behind `any Detector` is not.
    func judge(_ ticks: DetectorTicks, _ states: inout [State], into verdicts: inout [DetectorVerdict])
}

extension DetectorModel {
    @inlinable
    public func judge(_ ticks: DetectorTicks, _ states: inout [State], into verdicts: inout [DetectorVerdict]) {
        for row in ticks.keys.indices {
            let tick = DetectorTick(
                windowStartMs: ticks.windowStartMs, windowEndMs: ticks.windowEndMs, value: ticks.values[row],
                isPresent: ticks.present[row])
            verdicts[row] = judge(tick, &states[Int(ticks.keys[row])])
        }
    }
}

/// The states of a model for all keys, by key index.
public final class KeyedDetector<Model: DetectorModel>: Detector {
    private let model: Model
    private var states: [Model.State] = []

    /// A detector without keys.
    public init(_ model: Model) { self.model = model }

    public func addKeys(_ keys: [DetectorKey]) {
        for _ in keys { states.append(model.makeState()) }
    }

    public func judge(_ ticks: DetectorTicks, into verdicts: inout [DetectorVerdict]) {
        model.judge(ticks, &states, into: &verdicts)
    }

    public func reason(_ row: Int, _ ticks: DetectorTicks, _ verdict: DetectorVerdict) -> String {
        let tick = DetectorTick(
            windowStartMs: ticks.windowStartMs, windowEndMs: ticks.windowEndMs, value: ticks.values[row],
            isPresent: ticks.present[row])
        return model.reason(tick, verdict, states[Int(ticks.keys[row])])
    }

    public func forget(_ newIndex: [UInt32]) {
        var kept = 0
        for (old, new) in newIndex.enumerated() where new != .max {
            if kept != old { states.swapAt(kept, old) }
            kept += 1
        }
        states.removeLast(states.count - kept)
    }

    public func encode(to writer: inout ByteWriter) {
        for state in states { state.encode(to: &writer) }
    }

    public func decode(from reader: inout ByteReader) throws(DecodingFailure) {
        for index in states.indices { states[index] = try Model.State(from: &reader) }
    }

    public var byteCount: Int {
        states.capacity * MemoryLayout<Model.State>.stride + states.reduce(0) { $0 + $1.heapBytes }
    }
}
