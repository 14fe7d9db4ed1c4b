// Feeds the parsers of what comes from outside with what libFuzzer makes up, and checks what they must hold to: they
// never trap, and what they accept is what our own encoder writes, byte for byte. `Tests/Fuzz/run` builds and runs it;
// nothing of it is in the ordinary build.
//
//     parser-fuzz --seeds DIRECTORY                 writes inputs to begin with
//     parser-fuzz [libFuzzer's options] CORPUS …
//
// The first byte of an input chooses the parser, see Parser.swift.
import Glibc

/// libFuzzer's own entry, for programs that have a `main`.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "--seeds" {
    guard Seeds.write(to: CommandLine.arguments[2]) else {
        print("cannot write to \(CommandLine.arguments[2])")
        exit(1)
    }
    exit(0)
}
var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(
    runFuzzer(&count, &arguments) { start, size in
        let input = Array(UnsafeBufferPointer(start: start, count: size))
        guard let first = input.first, let parser = Parser(rawValue: first) else { return -1 }
        parser.feed(Array(input.dropFirst()))
        return 0
    })
