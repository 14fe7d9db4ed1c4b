import LinuxSystem
import Testing

@testable import TaskMonitor

struct ImageBundleTests {
    private static func config(_ change: (inout ImageRoot) -> Void = { _ in }) -> String {
        var root = ImageRoot(layers: ["/l/2", "/l/1"], changes: "/c")
        change(&root)
        var spec = MonitorSpec(
            containerID: "c1", executable: "sh", arguments: ["sh"], workingDirectory: "/",
            credentials: .init(uid: 0, gid: 0), logs: .init(stdoutPath: "/o", stderrPath: "/e"))
        spec.root = root
        let host = HostBundle(
            spec: spec, isolation: .standard, arguments: ["init"],
            privileges: Privileges(uid: 0, gid: 0, permitted: .max, bounding: .max), limitsSwap: true)
        return ImageBundle(host: host, root: root).config
    }

    @Test func `a container has few capabilities, hidden paths, no devices and a filter of system calls`() {
        let config = Self.config()
        #expect(config.contains("\"CAP_NET_BIND_SERVICE\""))
        #expect(!config.contains("\"CAP_SYS_ADMIN\""))
        #expect(config.contains("\"maskedPaths\":[\"/proc/acpi\""))
        #expect(config.contains("\"readonlyPaths\""))
        #expect(config.contains("{\"allow\":false,\"access\":\"rwm\"}"))
        #expect(config.contains("\"kexec_load\"") && config.contains("\"unshare\""))
        #expect(config.contains("\"path\":\"rootfs\",\"readonly\":false"))
        #expect(!config.contains("{\"type\":\"network\"}"))
    }

    @Test func `a privileged container has all, and nothing is hidden`() {
        let config = Self.config { $0.isPrivileged = true }
        #expect(config.contains("\"CAP_SYS_ADMIN\""))
        #expect(!config.contains("maskedPaths") && !config.contains("seccomp"))
        #expect(config.contains("{\"allow\":true,\"access\":\"rwm\"}"))
    }

    @Test func `who may mount is not kept from it by the filter, and still from the kernel`() {
        let config = Self.config {
            $0.capabilities = .init(bounding: 1 << 21, effective: 1 << 21)
        }
        #expect(config.contains("\"CAP_SYS_ADMIN\"") && !config.contains("\"CAP_CHOWN\""))
        #expect(!config.contains("\"unshare\"") && config.contains("\"kexec_load\""))
    }

    @Test func `a network of its own, a read-only root, mounts and a name are said`() {
        let config = Self.config {
            $0.network = .made(path: "/run/n")
            $0.isReadOnly = true
            $0.hostname = "web"
            $0.mounts = [
                .init(destination: "/data", source: .path("/srv"), isReadOnly: true),
                .init(destination: "/tmp", source: .memory(bytes: 4_096)),
            ]
        }
        #expect(config.contains("{\"type\":\"network\",\"path\":\"/run/n\"}"))
        #expect(config.contains("\"readonly\":true"))
        #expect(config.contains("\"hostname\":\"web\""))
        #expect(
            config.contains(
                "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/srv\",\"options\":[\"rbind\",\"rprivate\",\"ro\"]}"
            ))
        #expect(config.contains("\"size=4096\""))
    }

    @Test func `a spec with a root comes back from its file, and damaged ones do not`() throws {
        var root = ImageRoot(layers: ["/l/2", "/l/1"], changes: "/c")
        root.mounts = [
            .init(destination: "/x", source: .memory(bytes: 1)), .init(destination: "/y", source: .path("/z")),
        ]
        root.hostname = "h"
        root.capabilities = .init(bounding: 3, effective: 1)
        root.network = .made(path: "/run/n")
        var spec = MonitorSpec(
            containerID: "c1", executable: "sh", arguments: ["sh"], workingDirectory: "/",
            logs: .init(stdoutPath: "/o", stderrPath: "/e"))
        spec.root = root
        let bytes = try spec.encoded()
        #expect(try MonitorSpec(decoding: bytes).root == root)
        for length in 0..<bytes.count {
            #expect(throws: FormatError.self) { try MonitorSpec(decoding: Array(bytes[..<length])) }
        }
        root.layers = ["/a:b"]
        spec.root = root
        #expect(throws: FormatError.self) { try spec.encoded() }
    }
}
