import Generator
import StreamEngine

/// Feeds a workload into a target, at the pace of its own times or faster.
struct WorkloadFeed {
    let settings: WorkloadSettings
    /// nil: as fast as possible.
    let speed: Double?
    let labels: LabelsFile?
    /// Event time up to which nothing waits, ms; nil: the workload's start.
    var pacedFromMs: Int64?

    /// Feeds until the workload's end or a stop; returns the number of samples. `announce` is told of each incident as it
    /// begins, `progress` often.
    func run(
        into target: any WorkloadTarget, _ stop: StopRequest, announce: (Incident) -> Void, progress: (Int) -> Void
    ) throws -> Int {
        var workload = Workload(settings)
        let pacer = Pacer(speed: speed, startMs: pacedFromMs ?? settings.startMs)
        var samples = 0
        while !stop.isRequested, let item = workload.next() {
            switch item {
            case .samples(let scraped):
                try pacer.wait(for: scraped.timestampMs, stop) {
                    try target.serve()
                    progress(samples)
                }
                guard !stop.isRequested else { break }
                try target.write(scraped.bytes, partition: scraped.partition, key: scraped.key)
                samples += scraped.samples
                progress(samples)
            case .event(let event):
                try pacer.wait(for: event.timestampMs, stop) { try target.serve() }
                try target.write(event)
            case .incident(let incident):
                try pacer.wait(for: incident.startMs, stop) { try target.serve() }
                guard !stop.isRequested else { break }
                try labels?.add(incident)
                announce(incident)
            }
        }
        return samples
    }
}
