// Not shipped: writes random tables as Parquet, with what is in them beside, for scripts/verify/parquet.py.
//
//     parquet-tables DIRECTORY SEED COUNT
//
// Table N is N.parquet and N.json: the codec, and of each column name, type, and cells (doubles as the 16 hexadecimal digits
// of their bits, texts in base64, null where there is no value).
import Connectors
import Glibc
import Platform
import StreamEngine
import TestSupport

let arguments = CommandLine.arguments
guard arguments.count == 4, let seed = UInt64(arguments[2]), let count = Int(arguments[3]) else {
    print("usage: parquet-tables DIRECTORY SEED COUNT")
    exit(2)
}
let files = PosixFileSystem()
try files.createDirectories(arguments[1])
for number in 0..<count {
    var random = SeededRandom(seed: seed &+ UInt64(number) &* 0x1_0001)
    let table = RandomTable(number: number, &random)
    var file = ParquetTable(table.schema, settings: table.settings)
    for batch in table.batches { try file.append(batch) }
    let bytes = try file.finish(keyValues: ["job": "verify", "table": "\(number)"])
    try files.writeAtomically(bytes, to: "\(arguments[1])/\(number).parquet")
    try files.writeAtomically(table.json, to: "\(arguments[1])/\(number).json")
}
