import Glibc

/// The named steps of the epoch protocol at which a test may stop the process (`docs/exactly-once.md`).
public enum FaultStep: String, CaseIterable, Sendable {
    /// An epoch's work is known; nothing of it is durable yet.
    case planned
    /// One file sink's output is durable and unpublished (reached once for each sink).
    case sinkPrepared = "sink-prepared"
    /// The epoch's file of state is durable.
    case stateWritten = "state-written"
    /// The transaction is open.
    case transactionBegun = "transaction-begun"
    /// What goes to Kafka was sent and acknowledged.
    case outputsSent = "outputs-sent"
    /// The offsets are part of the transaction.
    case offsetsSent = "offsets-sent"
    /// The transaction is committed.
    case decided
    /// One file sink's output is published (reached once for each sink).
    case sinkPublished = "sink-published"
    /// Everything is published.
    case published
    /// Files that nobody needs any more are gone.
    case cleaned
    /// A snapshot made in the background is durable.
    case snapshotWritten = "snapshot-written"
    /// The state of newly assigned partitions is in memory; nothing was read yet.
    case stateLoaded = "state-loaded"
}

/// `STREAM_JOB_FAULT=STEP[:N]` kills the process with SIGKILL when it reaches a step for the N-th time (1 when left out),
/// `STREAM_JOB_FREEZE=STEP[:N]` stops it with SIGSTOP: for tests of what survives that.
public struct FaultPoint: Sendable {
    private struct Plan: Sendable {
        let step: String
        let at: Int
        let signal: Int32
        let reached: Monitor<Int>
    }

    private let plans: [Plan]

    private static let process = FaultPoint(environment: { name in getenv(name).map { String(cString: $0) } })

    /// What the environment asks for.
    init(environment: (String) -> String?) {
        plans = [("STREAM_JOB_FAULT", SIGKILL), ("STREAM_JOB_FREEZE", SIGSTOP)].compactMap { name, signal in
            guard let text = environment(name), !text.isEmpty else { return nil }
            let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
            return Plan(
                step: parts[0], at: parts.count > 1 ? Int(parts[1]) ?? 1 : 1, signal: signal, reached: Monitor(0))
        }
    }

    /// Notes that this process has come to `step`.
    public static func reach(_ step: FaultStep) { process.reach(step) { kill(getpid(), $0) } }

    /// Calls `send` with the signal that is due at this step.
    func reach(_ step: FaultStep, send: (Int32) -> Void) {
        for plan in plans where plan.step == step.rawValue {
            let count = plan.reached.withLock { reached in
                reached += 1
                return reached
            }
            if count == plan.at { send(plan.signal) }
        }
    }

    /// What is wrong with the variables, for a message at start; nil when nothing is.
    public static var complaint: String? {
        for plan in process.plans where FaultStep(rawValue: plan.step) == nil {
            let steps = FaultStep.allCases.map(\.rawValue).joined(separator: ", ")
            return "STREAM_JOB_FAULT: unknown step `\(plan.step)`; the steps are \(steps)"
        }
        return nil
    }
}
