import Generator
import Platform
import StreamEngine

/// The generator of `demo`, on a thread of its own.
final class DemoFeed: Sendable {
    /// How it ended.
    enum Ending: Sendable {
        /// With so many samples written.
        case done(Int)
        case failed(any Error)
    }

    private let ending = Monitor<Ending?>(nil)

    /// Writes a workload into the topics of `brokers` at the clock's pace, until its end or a stop; what lies
    /// before `pacedFromMs` at once.
    init(
        _ settings: WorkloadSettings, brokers: String, topic: String, eventsTopic: String, pacedFromMs: Int64,
        _ stop: StopRequest,
        announce: @escaping @Sendable (Incident) -> Void
    ) throws(ThreadFailure) {
        let ending = ending
        _ = try Thread(name: "generator") {
            do {
                let target = try TopicTarget(brokers: brokers, topic: topic, eventsTopic: eventsTopic, partitions: nil)
                var settings = settings
                settings.partitions = target.partitions
                let feed = WorkloadFeed(settings: settings, speed: 1, labels: nil, pacedFromMs: pacedFromMs)
                let samples = try feed.run(into: target, stop, announce: announce, progress: { _ in })
                try target.finish()
                ending.withLock { $0 = .done(samples) }
            } catch {
                ending.withLock { $0 = .failed(error) }
            }
        }
    }

    /// How it ended; nil while it goes on.
    var end: Ending? { ending.withLock { $0 } }

    /// Waits for its end.
    func wait() -> Ending? { ending.wait { $0 } }
}
