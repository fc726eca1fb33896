import Platform

/// Writes a file of state so that it is there whole and on the disk, or not at all.
struct StateFileWriter {
    let files: any FileSystem

    /// Writes beside the file, syncs, and gives it its name; the directory is the caller's to sync. Blocks are packed, and
    /// stand in the order of the header's index.
    func write(
        _ header: StateFileHeader, _ blocks: [StateBlock], kind: StateFile.Kind, directory: String, name: String
    ) throws(IOFailure) {
        let temporary = FilePath.join(directory, CheckpointLayout.temporaryName(name))
        do throws(IOFailure) {
            let file = try files.open(temporary, .replace)
            for piece in Self.pieces(header, blocks, kind: kind) { try file.writeAll(piece) }
            try file.sync()
            try file.close()
            try files.rename(temporary, to: FilePath.join(directory, name))
        } catch {
            // The write's own failure is what matters; what is left of the file is taken away by `verify` and cleaning.
            _ = try? files.remove(temporary)
            throw error
        }
    }

    /// The file's bytes in order: small blocks together, so that there are few writes, large ones as they are.
    private static func pieces(
        _ header: StateFileHeader, _ blocks: [StateBlock], kind: StateFile.Kind
    ) -> [[UInt8]] {
        let body = HeaderEncoder.encode(header)
        let fileCount = blocks.reduce(StateFile.preludeCount + body.count + StateFile.headerChecksumCount) {
            $0 + $1.bytes.count
        }
        var sum = ByteWriter()
        sum.write(XXH64.hash(body))
        var pieces: [[UInt8]] = []
        var gathered = StateFile.prelude(kind, headerCount: body.count, fileCount: fileCount) + body + sum.bytes
        for block in blocks {
            if block.bytes.count < 64 << 10 {
                gathered += block.bytes
            } else {
                pieces.append(gathered)
                pieces.append(block.bytes)
                gathered = []
            }
        }
        if !gathered.isEmpty { pieces.append(gathered) }
        return pieces
    }
}
