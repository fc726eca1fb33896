/// Offsets that Kafka no longer holds (SEMANTICS §6): `onDataLoss` decides, and what is left out stands in the ledger.
extension PartitionTask {
    /// Goes on at `first`: what lies between is lost, and committed as such.
    func skipLost(from wanted: Int64, to first: Int64) {
        ledger.lost.append(wanted...(first - 1))
        nextOffset = first
        checkpoint?.isDirty = true
    }
}

extension JobExecution {
    /// A task met records that are no longer there: goes on behind the hole where the job says `onDataLoss: continue`, and
    /// tells its exact range. False for any other failure.
    func passHole(_ task: PartitionTask, _ failure: any Error) throws(JobFailure) -> Bool {
        guard let failure = failure as? SourceError, case .dataLoss(let wanted, _, _) = failure.kind,
            let topics = topics(of: task.id)
        else { return false }
        let first: Int64?
        do throws(SourceError) {
            first = try topics.firstOffsets([task.id], timeoutMs: 30_000)[task.id]
        } catch {
            throw JobFailure("\(failure); and the broker does not say what is left: \(error)")
        }
        guard let first, first > wanted else { throw JobFailure(failure.description) }
        let hole =
            "\(task.id): offsets \(wanted) to \(first - 1) are no longer in the log: deleted before they were read"
        guard job.definition.onDataLoss == .continue else {
            let later = isLive ? "" : "; --from a later time leaves them out"
            throw JobFailure("\(hole) (onDataLoss: continue goes on behind them\(later))")
        }
        do throws(SourceError) { try topics.seek(task.id, to: first) } catch { throw JobFailure(error.description) }
        task.skipLost(from: wanted, to: first)
        task.readOn()
        dirty = true
        notices.append("warning: \(hole); going on at \(first) (onDataLoss: continue)")
        return true
    }

    /// Whose partition it is.
    private func topics(of id: PartitionID) -> (any LiveSource)? {
        if let topicWatch { return topicWatch.topics }
        guard broadcasts.contains(where: { $0.definition.name == id.source }) else { return liveTopics }
        return broadcastReaders.first { $0.bounds(of: id) != nil }
    }

    /// Tells of what a person should know that stopped nothing.
    func tellNotices(_ log: (String) -> Void) {
        for line in notices { log(line) }
        notices = []
    }

    /// Takes up what sinks have to say.
    func noteSinks() {
        for sink in outputs.all { notices += sink.takeNotices().map { "warning: \($0)" } }
    }
}
