import Testing

@testable import ContainerRuntime

/// Who may divide a container's version 2 group from inside, by the rules of config-linux.md, "Cgroup ownership".
struct GroupOwnerTests {
    /// A container that is to own its group, with parts of the configuration changed.
    private func owner(
        uid: Int = 0, namespaces: String = #"{"type": "user"}, {"type": "cgroup"}"#, options: String = #""rw""#,
        destination: String = "/sys/fs/cgroup", type: String = "cgroup"
    ) throws -> UInt32? {
        let text = """
            {"ociVersion": "1.2.0", "root": {"path": "rootfs"},
             "process": {"cwd": "/", "args": ["true"], "user": {"uid": \(uid), "gid": 0}},
             "mounts": [{"destination": "\(destination)", "type": "\(type)", "options": [\(options)]}],
             "linux": {"namespaces": [{"type": "mount"}, \(namespaces)],
              "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 1000}],
              "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 1000}]}}
            """
        return try ContainerConfig.read(bytes: Array(text.utf8)).groupOwner
    }

    @Test func `a writable group that is the container's top belongs to the process's user on the host`() throws {
        #expect(try owner() == 100_000)
        #expect(try owner(uid: 7) == 100_007)
        #expect(try owner(options: #""ro", "rw""#) == 100_000)
        #expect(try owner(options: "") == 100_000)
        #expect(try owner(destination: "/sys/fs/./cgroup/") == 100_000)
    }

    @Test func `a group that is read-only, elsewhere or seen from above stays with its maker`() throws {
        #expect(try owner(options: #""rw", "ro""#) == nil)
        #expect(try owner(destination: "/mnt") == nil)
        #expect(try owner(type: "tmpfs") == nil)
        #expect(try owner(namespaces: #"{"type": "user"}"#) == nil)
        #expect(try owner(namespaces: #"{"type": "user"}, {"type": "cgroup", "path": "/proc/1/ns/cgroup"}"#) == nil)
    }

    @Test func `a user without a number on the host gets nothing, and the host's root needs nothing`() throws {
        #expect(try owner(uid: 1000) == nil)
        #expect(try owner(namespaces: #"{"type": "cgroup"}"#) == nil)
        #expect(try owner(uid: 1000, namespaces: #"{"type": "cgroup"}"#) == 1000)
    }
}
