import Backtest
import StreamEngine

/// Takes nothing: it makes the engine encode the rows of detectors that no sink of the job asks for, so that a recorder
/// sees them.
final class RecorderSink: Sink {
    let description = "backtest"
    let written: (files: Int, bytes: Int64)? = nil

    func write(_ rows: RowBatch, _ info: EmissionInfo) {}
    func write(_ documents: DocumentBatch, _ info: EmissionInfo) {}
    func prepare(_ epoch: EpochToken) {}
    func publish(_ epoch: EpochToken) {}
    func discard(_ epoch: EpochToken) {}
    func abandon(_ epoch: EpochToken) {}
    func close() {}
}

extension JobOutputs {
    /// Lets a recorder see every row of the detectors.
    mutating func attach(_ recorder: BacktestRecorder) {
        let sink = RecorderSink()
        for query in queries.indices {
            for place in queries[query].anomalies.indices { queries[query].anomalies[place].append(sink) }
        }
        let encode = anomalies.document
        anomalies.document = { job, row in
            recorder.take(row)
            return recorder.isCopy(query: row.query, detector: row.detector) ? ([], []) : encode(job, row)
        }
    }
}
