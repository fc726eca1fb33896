import Platform

/// Looking for epochs that nobody names by their token.
extension FileStateStore {
    public func newestRecord(naming partitions: Set<PartitionID>) throws(CheckpointError) -> EpochRecord? {
        var newest: EpochRecord?
        for token in try epochs() {
            guard let record = try readable(token),
                record.partitions.contains(where: { partitions.contains($0.partition) }),
                newest.map({ Self.isOlder($0, record) }) ?? true
            else { continue }
            newest = record
        }
        return newest
    }

    public func newestWholeRecord(
        before epochs: [PartitionID: EpochToken]
    ) throws(CheckpointError) -> EpochRecord? {
        let all = try self.epochs()
        // Behind a file that another one of its process follows, the epoch was decided; so was each before a committed one,
        // whose own file may be gone.
        var bounds: [String: Int] = [:]
        for token in all { bounds[token.incarnation] = max(bounds[token.incarnation] ?? 0, token.number) }
        for token in epochs.values { bounds[token.incarnation] = nil }
        for token in epochs.values { bounds[token.incarnation] = min(bounds[token.incarnation] ?? .max, token.number) }
        var records: [EpochRecord] = []
        for token in all where token.number < bounds[token.incarnation] ?? 0 {
            guard let record = try readable(token),
                record.partitions.contains(where: { epochs[$0.partition] != nil })
            else { continue }
            records.append(record)
        }
        records.sort { Self.isOlder($1, $0) }
        for record in records where try isWhole(record, Set(epochs.keys)) { return record }
        return nil
    }

    private static func isOlder(_ a: EpochRecord, _ b: EpochRecord) -> Bool {
        (a.writtenMs, a.token.number) < (b.writtenMs, b.token.number)
    }

    /// Every epoch that has a file.
    private func epochs() throws(CheckpointError) -> [EpochToken] {
        var tokens: [EpochToken] = []
        do throws(IOFailure) {
            guard try files.exists(layout.epochs) else { return [] }
            for incarnation in try files.list(layout.epochs) where CheckpointLayout.isIncarnation(incarnation) {
                for name in try files.list(layout.epochs(of: incarnation)) {
                    guard let number = CheckpointLayout.number(of: name) else { continue }
                    tokens.append(EpochToken(incarnation: incarnation, number: number))
                }
            }
        } catch {
            throw CheckpointError(error)
        }
        return tokens
    }

    /// An epoch's record; nil where its file is damaged, or was cleaned away meanwhile.
    private func readable(_ token: EpochToken) throws(CheckpointError) -> EpochRecord? {
        do throws(CheckpointError) {
            return try record(token)
        } catch {
            guard error.kind == .damaged || error.kind == .missing else { throw error }
            return nil
        }
    }

    /// Whether all state that a record names for these partitions, and for all, can be read.
    func isWhole(_ record: EpochRecord, _ partitions: Set<PartitionID>) throws(CheckpointError) -> Bool {
        do throws(CheckpointError) {
            for known in record.partitions where partitions.contains(known.partition) {
                _ = try load(known.partition, at: known.state, isTakeover: false)
            }
            _ = try loadShared(record)
            return true
        } catch {
            switch error.kind {
            case .missing, .damaged, .mismatch: return false
            // A disk that does not answer says nothing about what is on it.
            case .io, .version: throw error
            }
        }
    }
}
