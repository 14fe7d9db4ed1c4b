import Testing

@testable import TaskMonitor

struct ShimPartsTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `the digests are those of the standard`(text: String, digest: String) {
        #expect(SHA256.hex(Array(text.utf8)) == digest)
    }

    private func member(_ name: String, _ json: String) -> String? {
        SpecScanner.member(name, of: Array(json.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `members of an object are found among others`() {
        let json = #" { "a" : {"x":[1,"}"],"annotations":3}, "b\"":"\\", "annotations" : {"k":"v,}"} , "z":1 } "#
        #expect(member("annotations", json) == #"{"k":"v,}"} "#)
        #expect(member("z", json) == "1 ")
        #expect(member("x", json) == nil)
        #expect(SpecScanner.text(SpecScanner.member("k", of: Array(#"{"k":"v,}"}"#.utf8)[...])) == "v,}")
        #expect(SpecScanner.text(Array("3".utf8)[...]) == nil)
    }

    @Test(arguments: [
        "", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":\"", "{\"a\":\"\\", "{\"a\":{", "{\"a\" 1}", "{1:2}", "}",
    ])
    func `what is cut off has no members`(json: String) { #expect(member("b", json) == nil) }

    @Test func `no bytes whatsoever do harm`() {
        var generator = SeededGenerator(state: 4)
        let alphabet = Array("{}[]\",:\\ab1 ".utf8)
        for _ in 0..<20_000 {
            let bytes = generator.bytes(upTo: 24).map { alphabet[Int($0) % alphabet.count] }
            _ = SpecScanner.member("a", of: bytes[...])
            _ = SpecScanner.process(bytes[...], terminal: true)
        }
    }

    @Test(arguments: [
        (#"{"terminal":false,"args":[]}"#, #"{"terminal":true,"args":[]}"#),
        (#"{"args":[]}"#, #"{"terminal":true,"args":[]}"#),
        (#"{ }"#, #"{"terminal":true }"#),
        (#"{"args":["terminal"],"terminal":true}"#, #"{"args":["terminal"],"terminal":true}"#),
    ])
    func `the request decides whether a process has a terminal`(given: String, wanted: String) {
        let found = SpecScanner.process(Array(given.utf8)[...], terminal: true)
        #expect(found.map { String(decoding: $0, as: UTF8.self) } == wanted)
    }

    @Test func `options survive their file, and unknown kinds are refused`() throws {
        var options = ShimOptions()
        options.root = "/r"
        options.systemdCgroup = true
        options.noPivotRoot = true
        options.ioUser = 1000
        #expect(try ShimOptions(options.encoded[...]) == options)
        var any = ProtobufWriter()
        any.put(1, "containerd.runc.v1.Options")
        any.put(2, raw: options.encoded[...])
        #expect(try ShimOptions(any: any.bytes[...]) == options)
        var other = ProtobufWriter()
        other.put(1, "io.other.Options")
        #expect(throws: ShimFailure.self) { try ShimOptions(any: other.bytes[...]) }
    }

    @Test func `options of the CRI plugin's generic kind are read`() throws {
        var content = ProtobufWriter()
        content.put(3, "SystemdCgroup = true\nRoot = \"/x y\"\n IoUid=7\nBinaryName = \"\"\n[[[")
        var any = ProtobufWriter()
        any.put(1, "runtimeoptions.v1.Options")
        any.put(2, content)
        let options = try ShimOptions(any: any.bytes[...])
        #expect(options.systemdCgroup)
        #expect(options.root == "/x y")
        #expect(options.ioUser == 7)
    }

    @Test func `options are found on standard input, alone or among others`() {
        var any = ProtobufWriter()
        any.put(1, ShimOptions.types[0])
        any.put(2, raw: [0x08, 1])
        #expect(ShimStart.options(any.bytes) == any.bytes[...])
        var parameters = ProtobufWriter()
        parameters.put(1, ShimOptions.types[0])
        parameters.put(2, "namespace")
        parameters.put(4, "2.3.0")
        #expect(ShimStart.options(parameters.bytes).isEmpty)
        var part = ProtobufWriter()
        part.put(1, any)
        parameters.put(8, part)
        #expect(ShimStart.options(parameters.bytes) == any.bytes[...])
        #expect(ShimStart.options(Array("{}".utf8)).isEmpty)
    }

    @Test func `mount options are flags or the file system's own`() {
        let (flags, data) = RootMount.parse(["ro", "nosuid", "rbind", "rw", "lowerdir=/a:/b", "index=off", "defaults"])
        #expect(flags == 2 | 4096 | 16384)
        #expect(data == ["lowerdir=/a:/b", "index=off"])
    }

    @Test func `many layers are named from the folder that they share`() {
        let layers = (0..<200).map { "/var/lib/containerd/snapshots/\($0)/fs" }
        let long = ["lowerdir=" + layers.joined(separator: ":"), "index=off"]
        let (folder, options) = RootMount.shortened(long)
        #expect(folder == "/var/lib/containerd/snapshots")
        #expect(options[0].hasPrefix("lowerdir=0/fs:1/fs:2/fs:"))
        #expect(options[1] == "index=off")
        #expect(RootMount.shortened(["lowerdir=/a:/b"]).folder == nil)
    }

    @Test func `groups are found by controller, or in the one tree of version 2`() throws {
        let trees = ["memory": "/m", "cpu": "/c", "": "/u"]
        let text = "7:memory:/a\n6:cpu,cpuacct:/b/c\n1:name=systemd:/d\n0::/e\n"
        let hybrid = try #require(CgroupPlaces(membership: text, trees: trees))
        #expect(hybrid.folders == ["memory": "/m/a", "cpu": "/c/b/c"])
        #expect(!hybrid.isUnified)
        let unified = try #require(CgroupPlaces(membership: "0::/e/f\n", trees: ["": "/u"]))
        #expect(unified.folders == ["": "/u/e/f"])
        #expect(CgroupPlaces(membership: "0::/../x\n", trees: ["": "/u"]) == nil)
        #expect(CgroupPlaces(membership: "nonsense", trees: trees) == nil)
    }

    @Test func `a line of block statistics is read`() throws {
        let entry = try #require(CgroupPlaces.blockEntry("8:16 rbytes=5 wbytes=6 rios=1 wios=2 dbytes=0 dios=0"))
        let message = try ProtobufMessage(entry.bytes[...])
        #expect(try (1...6).map { try message.number(UInt64($0)) } == [8, 16, 5, 6, 1, 2])
        #expect(CgroupPlaces.blockEntry("x rbytes=5") == nil)
    }

    @Test func `the flags of the protocol are taken in all their forms`() throws {
        let words = ["-namespace", "k8s.io", "--id=a", "-address=/s", "-debug", "-publish-binary", "/b", "start", "-x"]
        let arguments = try ShimArguments(words)
        #expect(arguments.namespace == "k8s.io")
        #expect(arguments.id == "a")
        #expect(arguments.address == "/s")
        #expect(arguments.publishProgram == "/b")
        #expect(arguments.action == "start")
        #expect(try ShimArguments(["-v"]).isVersionAsked)
        let wrong = ["start", "-namespace", "-namespace a/b start", "-namespace a -id .. start", "-namespace a -x y"]
        for words in wrong {
            #expect(throws: ShimFailure.self) { try ShimArguments(words.split(separator: " ").map(String.init)) }
        }
    }

    @Test func `names that would leave the bundle are no names`() {
        #expect(ShimContainer.isName("a-b_c.1"))
        for name in ["", ".", "..", "a/b", "a b", "ä", String(repeating: "a", count: 129)] {
            #expect(!ShimContainer.isName(name))
        }
    }
}
