import Connectors
import Platform
import StreamEngine

/// Waits for the job's cluster before anything asks it for more: a broker that is not up yet is no reason to give up
/// (JOBS.md "The command line"), and this wait, unlike most of librdkafka's, ends as soon as a stop is asked for.
struct ClusterReach {
    /// How long a run that is to end by itself waits.
    static let limitMs: Int64 = 30_000

    let definition: JobDefinition
    let stop: StopRequest
    let clock: any Clock
    /// A line for people, said once.
    let say: (String) -> Void

    /// Returns when a broker answers; false when a stop was asked for before.
    func wait() throws -> Bool {
        let brokers = definition.kafka.brokers ?? ""
        let cluster = try KafkaCluster(definition.kafka)
        let startNs = clock.monotonicNs()
        var said: Set<String> = []
        while !stop.isRequested {
            do throws(SourceError) {
                _ = try cluster.brokerCount(timeoutMs: 500)
                return true
            } catch {
                guard error.isRetriable else { throw error }
                // A broker that is slow to answer complains of nothing, so there is nothing to say yet.
                for complaint in cluster.complaints() where said.insert(complaint).inserted { say(complaint) }
            }
            guard definition.endsByItself, clock.monotonicNs() - startNs > Self.limitMs * 1_000_000 else { continue }
            throw SourceError(
                .unreachable,
                "kafka \(brokers): no broker in reach for \(DurationText.compact(Self.limitMs)); is it up, and is its"
                    + " address right?")
        }
        return false
    }
}

extension JobDefinition {
    /// Whether a live run reads what is there and ends.
    fileprivate var endsByItself: Bool {
        switch liveEnd {
        case .never: false
        case .once, .availableNow: true
        }
    }
}
