import JobFile
import Platform
import StreamEngine
import Testing

/// `checkpoint show` and `verify`, as a user runs them.
@Suite("checkpoint")
struct CheckpointTests {
    /// A checkpoint of two epochs in a scratch directory, without an engine.
    private func make(_ directory: String) throws {
        _ = try CheckpointDirectory.openOrCreate(directory, job: JobIdentity(JobDefinition(name: "cpu")))
        var options = FileStateOptions()
        options.hasThread = false
        let incarnation = String(repeating: "0f", count: 16)
        let store = FileStateStore(directory: directory, incarnation: incarnation, options: options) {
            Issue.record("\($0)")
        }
        let partition = PartitionID(source: "metrics", topic: "node", partition: 3)
        var parent: EpochToken?
        for number in 1...2 {
            let token = EpochToken(incarnation: incarnation, number: number)
            let blocks = [StateID.task(partition), .windows(query: "cpu", partition)].map {
                StateBlock(
                    id: $0, isWhole: parent == nil, bytes: [UInt8](repeating: 7, count: 1000 * number),
                    rows: 10 * number)
            }
            let record = EpochRecord(
                token: token, writtenMs: SystemClock().wallMs() - 5000, slot: "node-a", isFromReplay: false,
                partitions: [
                    PartitionRecord(
                        partition: partition, nextOffset: 1_204_000 + Int64(number), state: token,
                        watermarkMs: 1_767_225_600_000, ledger: PartitionLedger())
                ], shared: [:], decisions: [])
            try store.write(
                record, sections: [PartitionSection(partition: partition, parent: parent, blocks: blocks)], shared: [])
            try store.decided(record)
            parent = token
        }
    }

    @Test("show tells epochs, offsets, watermarks, rows and bytes")
    func show() throws {
        let scratch = try Scratch()
        try make(scratch.path + "/ck")
        let people = try BuiltProgram.run(["checkpoint", "show", "ck"], in: scratch)
        #expect(people.code == 0 && people.errors == "")
        for part in [
            "in 2 epochs", "slot node-a: epochs 1 to 2, 2 kept", "next offset 1,204,002",
            "watermark 2026-01-01T00:00:00.000Z", "in 2 files", "query cpu   10 + 20 changed rows",
            "series and position",
        ] {
            #expect(people.output.contains(part), "\(part) in:\n\(people.output)")
        }
        let json = try BuiltProgram.run(["checkpoint", "show", "ck", "--json"], in: scratch).output
        #expect(json.contains(#""nextOffset":1204002"#) && json.contains(#""rows":10,"changedRows":20"#))
    }

    @Test("verify is content with what was written, and names the file and the place of a byte that changed")
    func verify() throws {
        let scratch = try Scratch()
        let directory = scratch.path + "/ck"
        try make(directory)
        let good = try BuiltProgram.run(["checkpoint", "verify", "ck"], in: scratch)
        #expect(good.code == 0 && good.output.hasPrefix("ok: 3 files, "), "\(good.output)\(good.errors)")
        let path = "ck/epochs/\(String(repeating: "0f", count: 16))/1"
        let files = PosixFileSystem()
        var bytes = try files.readAll("\(scratch.path)/\(path)")
        bytes[bytes.count - 1] ^= 1
        try files.writeAtomically(bytes, to: "\(scratch.path)/\(path)")
        let bad = try BuiltProgram.run(["checkpoint", "verify", "ck"], in: scratch)
        #expect(bad.code == 1)
        #expect(bad.output.contains("damaged   checkpoint file \(path) is damaged: state of windows of query cpu"))
        #expect(bad.output.contains("broken    state of node/3 (source metrics)"))
        let json = try BuiltProgram.run(["checkpoint", "verify", "ck", "--json"], in: scratch)
        #expect(json.code == 1 && json.output.contains(#""ok":false"#) && json.output.contains(#""file":"\#(path)""#))
    }

    @Test("what is no checkpoint, and what is mistyped")
    func mistakes() throws {
        let scratch = try Scratch()
        for action in ["show", "verify"] {
            let result = try BuiltProgram.run(["checkpoint", action, "nowhere"], in: scratch)
            #expect(
                result.code == 1 && result.errors.contains("nowhere is no checkpoint directory"), "\(result.errors)")
        }
        let typo = try BuiltProgram.run(["checkpoint", "shwo", "ck"], in: scratch)
        #expect(typo.code == 2 && typo.errors.contains("did you mean `show`?"))
        let nothing = try BuiltProgram.run(["checkpoint", "verify"], in: scratch)
        #expect(nothing.code == 2 && nothing.errors.contains("no checkpoint directory is given"))
    }
}
