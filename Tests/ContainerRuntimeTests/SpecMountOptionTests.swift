import Testing

@testable import ContainerRuntime

/// The option words of mounts, with the numbers of mount(2) and mount_setattr(2) as the kernel's headers have them.
struct SpecMountOptionTests {
    @Test(
        arguments: [
            ("ro", 0x1, 0), ("rw", 0, 0x1), ("nosuid", 0x2, 0), ("suid", 0, 0x2), ("nodev", 0x4, 0), ("dev", 0, 0x4),
            ("noexec", 0x8, 0), ("exec", 0, 0x8), ("sync", 0x10, 0), ("async", 0, 0x10), ("remount", 0x20, 0),
            ("mand", 0x40, 0), ("nomand", 0, 0x40), ("dirsync", 0x80, 0), ("nosymfollow", 0x100, 0),
            ("symfollow", 0, 0x100), ("noatime", 0x400, 0), ("atime", 0, 0x400), ("nodiratime", 0x800, 0),
            ("diratime", 0, 0x800), ("bind", 0x1000, 0), ("rbind", 0x5000, 0), ("silent", 0x8000, 0),
            ("loud", 0, 0x8000),
            ("acl", 0x10000, 0), ("noacl", 0, 0x10000), ("relatime", 0x20_0000, 0), ("norelatime", 0, 0x20_0000),
            ("iversion", 0x80_0000, 0), ("noiversion", 0, 0x80_0000), ("strictatime", 0x100_0000, 0),
            ("nostrictatime", 0, 0x100_0000), ("lazytime", 0x200_0000, 0), ("nolazytime", 0, 0x200_0000),
            ("defaults", 0, 0),
        ] as [(String, UInt, UInt)])
    func `a word sets or clears its flag`(word: String, set: UInt, cleared: UInt) {
        var expected = MountOptions([])
        expected.flags = set
        expected.clearedFlags = cleared
        #expect(MountOptions([word]) == expected)
    }

    @Test(
        arguments: [
            ("rro", 0x1, 0), ("rrw", 0, 0x1), ("rnosuid", 0x2, 0), ("rsuid", 0, 0x2), ("rnodev", 0x4, 0),
            ("rdev", 0, 0x4),
            ("rnoexec", 0x8, 0), ("rexec", 0, 0x8), ("rnodiratime", 0x80, 0), ("rdiratime", 0, 0x80),
            ("rrelatime", 0, 0x70),
            ("rnorelatime", 0, 0x70), ("rnoatime", 0x10, 0x70), ("ratime", 0, 0x70), ("rstrictatime", 0x20, 0x70),
            ("rnostrictatime", 0, 0x70), ("rnosymfollow", 0x20_0000, 0), ("rsymfollow", 0, 0x20_0000),
        ] as [(String, UInt64, UInt64)])
    func `a recursive word sets or clears its attribute`(word: String, set: UInt64, clear: UInt64) {
        var expected = MountOptions([])
        expected.recursiveSet = set
        expected.recursiveClear = clear
        #expect(MountOptions([word]) == expected)
    }

    @Test(
        arguments: [
            ("shared", 0x10_0000), ("slave", 0x8_0000), ("private", 0x4_0000), ("unbindable", 0x2_0000),
            ("rshared", 0x10_4000), ("rslave", 0x8_4000), ("rprivate", 0x4_4000), ("runbindable", 0x2_4000),
        ] as [(String, UInt)])
    func `a propagation stays apart from the flags`(word: String, bits: UInt) {
        var expected = MountOptions([])
        expected.propagation = [bits]
        #expect(MountOptions([word]) == expected)
    }

    @Test
    func `the last of contrary words wins`() {
        var options = MountOptions(["ro", "rw", "noexec", "exec", "noexec"])
        #expect(options.flags == 0x8 && options.clearedFlags == 0x1)
        options = MountOptions(["rro", "rrw", "rnosuid", "rsuid", "rnosuid"])
        #expect(options.recursiveSet == 0x2 && options.recursiveClear == 0x1)
        options = MountOptions(["rnoatime", "rstrictatime"])
        #expect(options.recursiveSet == 0x20 && options.recursiveClear == 0x70)
        options = MountOptions(["rnoatime", "rrelatime"])
        #expect(options.recursiveSet == 0 && options.recursiveClear == 0x70)
    }

    @Test
    func `unknown words are data in their order`() {
        let options = MountOptions(["nosuid", "mode=755", "", "RO", "size=65536k", "ro,rw", "privates"])
        #expect(options.flags == 2)
        #expect(options.data == "mode=755,,RO,size=65536k,ro,rw,privates")
    }

    @Test
    func `several propagations are kept in order`() {
        #expect(MountOptions(["rbind", "rslave", "shared"]).propagation == [0x8_4000, 0x10_0000])
    }

    @Test
    func `extensions are no flags`() {
        var options = MountOptions(["tmpcopyup"])
        #expect(options.tmpcopyup && options.flags == 0 && options.data.isEmpty)
        options = MountOptions(["bind", "idmap"])
        #expect(options.isIDMapped && !options.isRecursiveIDMapped && options.isBind && !options.isRecursiveBind)
        options = MountOptions(["rbind", "ridmap"])
        #expect(options.isIDMapped && options.isRecursiveIDMapped && options.isRecursiveBind)
        #expect(MountOptions(["bind", "remount", "ro"]).isRemount)
        #expect(!MountOptions([]).isBind && !MountOptions([]).isRemount)
    }

    @Test
    func `a type of bind is a bind as well`() {
        let mount = MountConfig(destination: "/a", type: "bind", source: "/b")
        #expect(mount.isBind(MountOptions([])))
        #expect(!MountConfig(destination: "/a", type: "tmpfs").isBind(MountOptions(["ro"])))
    }

    @Test
    func `every known word is understood`() {
        let words = MountOptions.knownWords
        #expect(words.count == Set(words).count && words.count == 64 && words == words.sorted())
        for word in words { #expect(MountOptions([word]).data.isEmpty, "\(word)") }
    }
}
