import Testing

@testable import ContainerRuntime

/// Configurations as podman and docker write them are read completely.
struct SpecClientTests {
    private func read(_ text: String) throws -> ContainerConfig {
        var warnings: [String] = []
        let config = try ContainerConfig.read(bytes: Array(text.utf8)) { warnings.append($0) }
        try config.check()
        #expect(warnings == [])
        return config
    }

    @Test
    func `a configuration of podman is read completely`() throws {
        let config = try read(SpecClientSamples.podman)
        let process = try #require(config.process)
        #expect(process.args == ["/bin/sh", "-c", "echo \"hello\" && sleep 1"])
        #expect(process.user == UserConfig(umask: 18, additionalGids: [0, 1, 2, 3, 10, 26]))
        #expect(process.env.count == 4 && process.oomScoreAdj == 0)
        let capabilities = try #require(process.capabilities)
        #expect(capabilities.bounding.nonzeroBitCount == 11 && capabilities.effective == capabilities.permitted)
        #expect(capabilities.inheritable == 0 && capabilities.ambient == 0)
        #expect(process.rlimits.map(\.resource) == [7, 6] && process.rlimits.map(\.hard) == [20000, 32768])
        #expect(config.mounts.count == 10)
        let data = try #require(config.mounts.last)
        let options = MountOptions(data.options)
        #expect(options.isRecursiveBind && options.flags == 0x5006 && options.clearedFlags == 1)
        #expect(options.propagation == [0x4_4000] && options.data.isEmpty)
        #expect(MountOptions(config.mounts[1].options).data == "mode=755,size=65536k")
        #expect(config.hooks.createRuntime.first?.timeout == 10)
        #expect(config.annotations.count == 4)
        let linux = config.linux
        #expect(linux.namespaces.count == 6 && linux.namespace(.network)?.path == "/run/netns/netns-1a2b")
        #expect(linux.namespace(.user) == nil)
        #expect(linux.cgroupsPath == "/libpod_parent/libpod-5dc1")
        let limits = try #require(linux.resources)
        #expect(limits.memory == MemoryConfig(limit: 67_108_864, swap: 134_217_728))
        #expect(limits.cpu == CPUConfig(quota: 50000, period: 100_000) && limits.pids == 2048)
        #expect(limits.devices == [DeviceRule(allow: false)])
        let seccomp = try #require(linux.seccomp)
        #expect(seccomp.architectures.count == 3 && seccomp.syscalls.count == 4 && seccomp.defaultErrnoRet == 38)
        #expect(seccomp.syscalls[3].args.map(\.index) == [0, 2] && seccomp.syscalls[3].errnoRet == 22)
        #expect(linux.maskedPaths.count == 5 && linux.readonlyPaths.count == 6)
    }

    @Test
    func `a configuration of docker is read completely`() throws {
        let config = try read(SpecClientSamples.docker)
        let process = try #require(config.process)
        #expect(process.terminal && process.consoleSize?.width == 80 && process.noNewPrivileges)
        #expect(process.apparmorProfile == "docker-default")
        #expect(config.hooks.prestart.first?.args.count == 4 && config.hooks.prestart.first?.timeout == nil)
        #expect(MountOptions(config.mounts[4].options).tmpcopyup)
        let linux = config.linux
        #expect(linux.namespace(.network) == NamespaceConfig(kind: .network, path: nil))
        #expect(linux.cgroupsPath == "system.slice:docker:9e10")
        #expect(linux.devices.map(\.path) == ["/dev/fuse"])
        let limits = try #require(linux.resources)
        #expect(limits.devices.map(\.major) == [nil, 1, 136] && limits.devices.map(\.minor) == [nil, 5, nil])
        #expect(limits.cpu.cpus == nil && limits.cpu.shares == 0 && limits.pids == 0)
        #expect(limits.blockIO.weight == 0 && limits.unified.isEmpty)
        #expect(linux.seccomp?.syscalls.first?.args.first?.value == 2_114_060_288)
    }
}
