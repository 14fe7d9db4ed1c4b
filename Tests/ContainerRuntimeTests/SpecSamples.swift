@testable import ContainerRuntime

/// Configurations to read, and ways to spoil them.
enum SpecSamples {
    /// Uses every field the reader knows, each with a fitting value.
    static let full = #"""
        {"ociVersion":"1.3.0",
         "process":{"terminal":true,"consoleSize":{"height":25,"width":80},
          "user":{"uid":1000,"gid":1001,"umask":18,"additionalGids":[5,6]},
          "args":["sh","-c","true"],"env":["PATH=/bin","EMPTY="],"cwd":"/home",
          "capabilities":{"bounding":["CAP_CHOWN","CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"],
           "inheritable":["CAP_BPF"],"ambient":["CAP_CHECKPOINT_RESTORE"]},
          "rlimits":[{"type":"RLIMIT_NOFILE","soft":1024,"hard":4096},{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}],
          "noNewPrivileges":true,"apparmorProfile":"box","selinuxLabel":"a:b:c:s0","oomScoreAdj":-5,
          "scheduler":{"policy":"SCHED_BATCH","nice":3,"flags":["SCHED_FLAG_RESET_ON_FORK","SCHED_FLAG_UTIL_CLAMP_MAX"]},
          "ioPriority":{"class":"IOPRIO_CLASS_BE","priority":4},"execCPUAffinity":{"initial":"0-3","final":"7"}},
         "root":{"path":"rootfs","readonly":true},"hostname":"box","domainname":"example",
         "mounts":[{"destination":"/proc","type":"proc","source":"proc","options":["nosuid"]},
          {"destination":"/data","type":"bind","source":"/srv","options":["rbind","ro","rslave"],
           "uidMappings":[{"containerID":0,"hostID":5000,"size":10}],"gidMappings":[{"containerID":0,"hostID":5000,"size":10}]}],
         "hooks":{"prestart":[{"path":"/h/a","args":["a","1"],"env":["A=1"],"timeout":3}],
          "createRuntime":[{"path":"/h/b"}],"createContainer":[{"path":"/h/c"}],"startContainer":[{"path":"/h/d"}],
          "poststart":[{"path":"/h/e"}],"poststop":[{"path":"/h/f"}]},
         "annotations":{"org.example.a":"1","b":""},
         "linux":{"namespaces":[{"type":"pid"},{"type":"network","path":"/run/netns/none"},{"type":"mount"},{"type":"ipc"},
           {"type":"uts"},{"type":"user"},{"type":"cgroup"},{"type":"time"}],
          "uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],"gidMappings":[{"containerID":0,"hostID":100000,"size":65536}],
          "timeOffsets":{"monotonic":{"secs":-5,"nanosecs":1},"boottime":{"secs":7}},
          "devices":[{"type":"c","path":"/dev/fuse","major":10,"minor":229,"fileMode":438,"uid":0,"gid":0},{"type":"p","path":"/dev/pipe"}],
          "cgroupsPath":"/a/b","rootfsPropagation":"rslave",
          "resources":{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":-1,"access":"rw"}],
           "memory":{"limit":1048576,"reservation":524288,"swap":-1,"kernel":-1,"kernelTCP":-1,"swappiness":60,"disableOOMKiller":false,"useHierarchy":true,"checkBeforeUpdate":true},
           "cpu":{"shares":512,"quota":20000,"burst":1000,"period":100000,"realtimeRuntime":95000,"realtimePeriod":1000000,"cpus":"0-1,3","mems":"0","idle":1},
           "pids":{"limit":100},
           "blockIO":{"weight":500,"leafWeight":400,"weightDevice":[{"major":8,"minor":0,"weight":500,"leafWeight":300}],
            "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1000}],"throttleWriteBpsDevice":[{"major":8,"minor":1,"rate":1001}],
            "throttleReadIOPSDevice":[{"major":8,"minor":2,"rate":1002}],"throttleWriteIOPSDevice":[{"major":8,"minor":3,"rate":1003}]},
           "hugepageLimits":[{"pageSize":"2MB","limit":4194304}],
           "network":{"classID":1048577,"priorities":[{"name":"eth0","priority":5}]},
           "rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000}},"unified":{"memory.high":"1000000"}},
          "seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86_64"],
           "flags":["SECCOMP_FILTER_FLAG_LOG"],"listenerPath":"/run/listen","listenerMetadata":"m",
           "syscalls":[{"names":["clone"],"action":"SCMP_ACT_ALLOW","errnoRet":1,"args":[{"index":5,"value":18446744073709551615,"valueTwo":2,"op":"SCMP_CMP_MASKED_EQ"}]}]},
          "sysctl":{"net.ipv4.ip_forward":"1","kernel.msgmax":"65536"},
          "maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/sys"],"mountLabel":"a:b",
          "intelRdt":{"closID":"group","l3CacheSchema":"L3:0=f","memBwSchema":"MB:0=20","schemata":["L2:0=1"],"enableMonitoring":true},
          "personality":{"domain":"LINUX32"},"netDevices":{"eth5":{"name":"inner"},"eth6":{}},
          "memoryPolicy":{"mode":"MPOL_BIND","nodes":"0-1","flags":["MPOL_F_STATIC_NODES"]}}}
        """#

    static func parse(_ text: String, name: String = "config.json") throws -> JSONValue {
        try JSONValue.parse(Array(text.utf8), name: name)
    }

    /// What reading and checking a configuration complains about; nil when it is accepted.
    static func complaint(about config: JSONValue) -> String? {
        do {
            try ContainerConfig.read(bytes: Array(config.text().utf8)).check()
            return nil
        } catch { return error.message }
    }

    /// ``full`` with one thing changed: `value`, as JSON text, at `path`, or nothing there when it is nil.
    static func changed(_ path: String, to value: String?) throws -> JSONValue {
        edit(try parse(full), steps(path)[...], try value.map { try parse($0) })
    }

    private enum Step {
        case name(String), index(Int)
    }

    /// `a.b[0]["x.y"]` as steps.
    private static func steps(_ path: String) -> [Step] {
        var steps: [Step] = []
        var rest = Substring(path)
        while let first = rest.first {
            if first == ".", rest.count > 1 {
                rest.removeFirst()
            } else if rest.hasPrefix("[\"") {
                let end = rest.range(of: "\"]")!
                steps.append(.name(String(rest[rest.index(rest.startIndex, offsetBy: 2)..<end.lowerBound])))
                rest = rest[end.upperBound...]
            } else if first == "[" {
                let end = rest.firstIndex(of: "]")!
                steps.append(.index(Int(rest[rest.index(after: rest.startIndex)..<end])!))
                rest = rest[rest.index(after: end)...]
            } else {
                let name = rest.prefix { $0 != "." && $0 != "[" }
                steps.append(.name(String(name)))
                rest = rest.dropFirst(name.count)
            }
        }
        return steps
    }

    private static func edit(_ target: JSONValue, _ steps: ArraySlice<Step>, _ value: JSONValue?) -> JSONValue {
        guard let step = steps.first else { return value ?? .null }
        switch step {
        case .name(let name):
            var members = target.object ?? []
            let place = members.firstIndex { $0.name == name }
            if steps.count == 1, value == nil {
                members.removeAll { $0.name == name }
            } else if let place {
                members[place].value = edit(members[place].value, steps.dropFirst(), value)
            } else {
                members.append(JSONMember(name: name, value: edit(.null, steps.dropFirst(), value)))
            }
            return .object(members)
        case .index(let index):
            var elements = target.array ?? []
            if index < elements.count {
                elements[index] = edit(elements[index], steps.dropFirst(), value)
            } else {
                elements.append(edit(.null, steps.dropFirst(), value))
            }
            return .array(elements)
        }
    }
}

extension Substring {
    /// The first occurrence of a text.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}

/// A small generator of numbers that a seed repeats.
struct SpecRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
