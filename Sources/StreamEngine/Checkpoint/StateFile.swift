import Platform

/// What stands before the blocks of a file of state.
///
///      0  magic, 8 bytes                "SEstate\n"
///      8  format version, u32           2
///     12  kind, u32                     1 epoch, 2 snapshot of one partition, 3 decisions of epochs that went
///     16  length of the header, u64     H
///     24  length of the file, u64
///     32  XXH64 of bytes 0 to 31
///     40  header, H bytes               StateFileHeader+Coding.swift
///  40+H   XXH64 of the header
///  48+H   blocks, one behind the other, in the order of the header's index, which has the XXH64 of each
///
/// So every byte is under a checksum, and a reader needs to check no more than what it reads.
enum StateFile {
    static let magic: [UInt8] = Array("SEstate\n".utf8)
    static let version: UInt32 = 2
    static let preludeCount = 40
    /// What is checked before the header is read: the header's checksum stands behind it.
    static let headerChecksumCount = 8

    /// What a file holds.
    enum Kind: UInt32 {
        case epoch = 1
        case snapshot = 2
        case decisions = 3
    }

    /// The file's first 40 bytes.
    static func prelude(_ kind: Kind, headerCount: Int, fileCount: Int) -> [UInt8] {
        var out = ByteWriter()
        for byte in magic { out.write(byte) }
        out.write(version)
        out.write(kind.rawValue)
        out.write(UInt64(headerCount))
        out.write(UInt64(fileCount))
        out.write(XXH64.hash(out.bytes))
        return out.bytes
    }
}

/// Where a block stands, and what it is.
struct BlockEntry: Sendable, Equatable {
    var id: StateID
    var isWhole: Bool
    var compression: Compression
    var rows: Int
    /// Bytes before compression.
    var rawCount: Int
    /// Bytes in the file.
    var count: Int
    /// XXH64 of the bytes in the file.
    var checksum: UInt64
    /// From the start of the file; not stored: blocks stand one behind the other.
    var offset = 0
}

/// A partition's section as the index has it.
struct SectionEntry: Sendable, Equatable {
    var partition: PartitionID
    var parent: EpochToken?
    var blocks: [BlockEntry]

    /// Bytes in the file.
    var count: Int64 { blocks.reduce(0) { $0 + Int64($1.count) } }
}

/// Everything a file says before its blocks.
struct StateFileHeader: Sendable {
    /// What an epoch's file knows; a snapshot has its token alone.
    var record: EpochRecord
    var sections: [SectionEntry]
    /// Blocks of the whole job.
    var shared: [BlockEntry]

    /// The section of a partition. O(sections).
    func section(_ partition: PartitionID) -> SectionEntry? { sections.first { $0.partition == partition } }

    /// Bytes of all blocks; nil where they do not fit a file.
    var blockBytes: Int? {
        var sum = 0
        for entry in sections.lazy.flatMap(\.blocks) + shared {
            let (next, overflow) = sum.addingReportingOverflow(entry.count)
            guard !overflow else { return nil }
            sum = next
        }
        return sum
    }

    /// Sets the blocks' places, the first one at `start`.
    mutating func place(from start: Int) {
        var at = start
        for section in sections.indices {
            for block in sections[section].blocks.indices {
                sections[section].blocks[block].offset = at
                at += sections[section].blocks[block].count
            }
        }
        for block in shared.indices {
            shared[block].offset = at
            at += shared[block].count
        }
    }
}

extension BlockEntry {
    /// The index entry of a packed block.
    init(_ block: StateBlock, _ packing: BlockPacking) {
        self.init(
            id: block.id, isWhole: block.isWhole, compression: packing.compression, rows: block.rows,
            rawCount: packing.rawCount, count: block.bytes.count, checksum: packing.checksum)
    }
}
