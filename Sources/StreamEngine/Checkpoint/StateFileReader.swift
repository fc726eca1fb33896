import Platform

/// Reads a file of state. Whatever the file holds, nothing is handed out that fails its checksum, and no more room is made
/// than there are bytes.
struct StateFileReader {
    let path: String
    private let file: any File
    let header: StateFileHeader
    let kind: StateFile.Kind

    /// Opens a file and checks everything before its blocks.
    init(_ path: String, files: any FileSystem) throws(CheckpointError) {
        self.path = path
        do throws(IOFailure) {
            file = try files.open(path, .read)
        } catch {
            guard !error.isNotFound else {
                throw CheckpointError(.missing, "checkpoint file \(path) is not there")
            }
            throw CheckpointError(error)
        }
        do throws(CheckpointError) {
            (header, kind) = try Self.readHeader(file, path: path)
        } catch {
            // The error says what is wrong with the file; that it does not close either adds nothing.
            try? file.close()
            throw error
        }
    }

    /// Closes the file. Nothing is read afterwards.
    func close() throws(CheckpointError) {
        do throws(IOFailure) { try file.close() } catch { throw CheckpointError(error) }
    }

    /// A block's bytes, unpacked.
    func block(_ entry: BlockEntry) throws(CheckpointError) -> StateBlock {
        let bytes = try Self.read(
            file, count: entry.count, at: entry.offset, path: path, section: "state of \(entry.id)")
        guard XXH64.hash(bytes) == entry.checksum else {
            throw Self.damaged(
                path, at: entry.offset, count: entry.count, "state of \(entry.id)", "its checksum is another")
        }
        let raw = bytes.withUnsafeBytes { entry.compression.decompressed($0, count: entry.rawCount) }
        guard let raw else {
            throw Self.damaged(
                path, at: entry.offset, count: entry.count, "state of \(entry.id)",
                "it does not decompress (\(entry.compression.rawValue)) to \(entry.rawCount) bytes")
        }
        return StateBlock(id: entry.id, isWhole: entry.isWhole, bytes: raw, rows: entry.rows)
    }

    private static func readHeader(
        _ file: any File, path: String
    ) throws(CheckpointError) -> (StateFileHeader, StateFile.Kind) {
        let size: Int64
        do throws(IOFailure) { size = try file.size() } catch { throw CheckpointError(error) }
        guard size >= Int64(StateFile.preludeCount) else {
            throw damaged(path, at: 0, count: Int(size), "prelude", "the file has \(size) bytes, too few for one")
        }
        let prelude = try read(file, count: StateFile.preludeCount, at: 0, path: path, section: "prelude")
        let bounds = StateFile.preludeCount
        guard prelude.starts(with: StateFile.magic) else {
            throw damaged(path, at: 0, count: StateFile.magic.count, "prelude", "it does not begin as a file of state")
        }
        var fields = ByteReader(Array(prelude[StateFile.magic.count...]))
        let version: UInt32
        let kindCode: UInt32
        let headerCount: UInt64
        let fileCount: UInt64
        let sum: UInt64
        do throws(DecodingFailure) {
            version = try fields.read()
            kindCode = try fields.read()
            headerCount = try fields.read()
            fileCount = try fields.read()
            sum = try fields.read()
        } catch {
            throw damaged(path, at: 0, count: bounds, "prelude", error.description)
        }
        guard XXH64.hash(Array(prelude[..<32])) == sum else {
            throw damaged(path, at: 0, count: bounds, "prelude", "its checksum is another")
        }
        guard version == StateFile.version else {
            throw CheckpointError(
                .version,
                "checkpoint file \(path) has format version \(version), this program reads \(StateFile.version); "
                    + "use the program that wrote it, or begin anew with --new-checkpoint")
        }
        guard let kind = StateFile.Kind(rawValue: kindCode) else {
            throw damaged(path, at: 12, count: 4, "prelude", "it holds kind \(kindCode), which there is not")
        }
        guard fileCount == UInt64(size) else {
            throw damaged(
                path, at: Int(min(fileCount, UInt64(size))), count: 0, "end", "it has \(size) bytes of \(fileCount)")
        }
        let around = UInt64(bounds + StateFile.headerChecksumCount)
        guard headerCount <= fileCount, fileCount - headerCount >= around else {
            throw damaged(path, at: 16, count: 8, "prelude", "a header of \(headerCount) bytes does not fit it")
        }
        let body = try read(
            file, count: Int(headerCount) + StateFile.headerChecksumCount, at: bounds, path: path, section: "header")
        let bytes = Array(body[..<Int(headerCount)])
        var tail = ByteReader(Array(body[Int(headerCount)...]))
        do throws(DecodingFailure) {
            guard XXH64.hash(bytes) == (try tail.read(UInt64.self)) else {
                throw DecodingFailure("its checksum is another")
            }
            var header = try HeaderDecoder.decode(bytes)
            guard let blocks = header.blockBytes, UInt64(blocks) == fileCount - headerCount - around else {
                throw DecodingFailure("its index names other bytes than the file has")
            }
            header.place(from: Int(headerCount + around))
            return (header, kind)
        } catch {
            throw damaged(path, at: bounds, count: body.count, "header", error.description)
        }
    }

    /// Exactly `count` bytes, which the caller has found to be inside the file.
    private static func read(
        _ file: any File, count: Int, at offset: Int, path: String, section: String
    ) throws(CheckpointError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let result = bytes.withUnsafeMutableBytes { buffer in
                Result { () throws(IOFailure) in
                    try file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]), at: Int64(offset + done))
                }
            }
            let got: Int
            do throws(IOFailure) { got = try result.get() } catch { throw CheckpointError(error) }
            guard got > 0 else {
                throw damaged(path, at: offset, count: count, section, "the file ends \(count - done) bytes early")
            }
            done += got
        }
        return bytes
    }

    private static func damaged(
        _ path: String, at offset: Int, count: Int, _ section: String, _ what: String
    ) -> CheckpointError {
        let place = count > 0 ? "bytes \(offset) to \(offset + count - 1)" : "byte \(offset)"
        return CheckpointError(.damaged, "checkpoint file \(path) is damaged: \(section), \(place): \(what)")
    }
}

extension CheckpointError {
    /// The disk or file system refused.
    init(_ failure: IOFailure) { self.init(.io, "checkpoint: \(failure.description)") }
}
