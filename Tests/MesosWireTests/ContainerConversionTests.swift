import ClusterModel
import FoundationEssentials
import MesosWire
import Testing

struct ContainerConversionTests {
    private static func task(_ more: String) throws -> TaskInfo {
        let text = """
            {"name":"t","task_id":{"value":"t1"},"agent_id":{"value":"a1"},"command":{"value":"true"},\(more)}
            """
        return TaskInfo(try WireCodec.decode(WireTaskInfo.self, from: Array(text.utf8), as: .json))
    }

    @Test func `a container of docker is read whole`() throws {
        let task = try Self.task(
            """
            "container":{"type":"DOCKER","hostname":"web","docker":{"image":"nginx:1.22","network":"BRIDGE",
            "port_mappings":[{"host_port":31000,"container_port":80},{"host_port":31001,"container_port":53,
            "protocol":"UDP"}],"privileged":true,"force_pull_image":true,"parameters":[{"key":"user","value":"www"}]},
            "volumes":[{"container_path":"/data","host_path":"/srv","mode":"RO"},
            {"container_path":"cache","host_path":"cache","mode":"RW"}]}
            """)
        #expect(task.defect == nil)
        #expect(task.unsupported.isEmpty)
        let container = try #require(task.container)
        #expect(container.kind == .docker)
        #expect(container.image == "nginx:1.22")
        #expect(container.network == .bridge)
        #expect(
            container.portMappings == [
                .init(hostPort: 31_000, containerPort: 80),
                .init(hostPort: 31_001, containerPort: 53, transport: "udp"),
            ])
        #expect(container.isPrivileged && container.pullsAlways && container.hostname == "web")
        #expect(container.parameters == [.init(key: "user", value: "www")])
        #expect(
            container.volumes == [
                .init(containerPath: "/data", isReadOnly: true, source: .host("/srv")),
                .init(containerPath: "cache", isReadOnly: false, source: .work("cache")),
            ])
        #expect(container.reachesHost)
        #expect(container.defect == nil)
    }

    @Test func `a container of mesos is read whole, and written as it was`() throws {
        let task = try Self.task(
            """
            "container":{"type":"MESOS","mesos":{"image":{"type":"DOCKER","docker":{"name":"redis"},"cached":false}},
            "network_infos":[{"name":"bridge","port_mappings":[{"host_port":31000,"container_port":6379,
            "protocol":"tcp"}]}],"linux_info":{"effective_capabilities":{"capabilities":["NET_RAW","CHOWN"]},
            "shm_size":16,"seccomp":{"unconfined":true}},"rlimit_info":{"rlimits":[{"type":"RLMT_NOFILE","soft":10,
            "hard":20},{"type":"RLMT_CORE"}]},"volumes":[{"container_path":"/x","mode":"RW","source":{"type":
            "SANDBOX_PATH","sandbox_path":{"type":"SELF","path":"x"}}},{"container_path":"/y","mode":"RW","source":
            {"type":"DOCKER_VOLUME","docker_volume":{"name":"y"}}},{"container_path":"s","mode":"RO","source":{"type":
            "SECRET","secret":{"type":"REFERENCE","reference":{"name":"db"}}}}]}
            """)
        #expect(task.defect == nil)
        #expect(task.unsupported.isEmpty)
        let container = try #require(task.container)
        #expect(container.network == .bridge)
        #expect(container.effectiveCapabilities == [13, 0])
        #expect(container.sharedMemory == 16)
        #expect(
            container.limits == [.init(name: "NOFILE", soft: 10, hard: 20), .init(name: "CORE", soft: nil, hard: nil)])
        #expect(container.volumes.map(\.source) == [.work("x"), .named("y")])
        #expect(task.secretFiles?.map(\.path) == ["s"])
        let again = TaskInfo(WireTaskInfo(task, ResourceForm(.both)))
        #expect(again.container == container)
        #expect(again.secretFiles == task.secretFiles)
    }

    @Test func `the credential for an image's registry is a secret, by reference or by value`() throws {
        for (secret, read) in [
            (#"{"type":"REFERENCE","reference":{"name":"/a/pull"}}"#, TaskSecret(name: "a/pull")),
            (#"{"type":"VALUE","value":{"data":"e30="}}"#, TaskSecret(value: Array("{}".utf8))),
        ] {
            let task = try Self.task(
                #""container":{"type":"MESOS","mesos":{"image":{"type":"DOCKER","docker":{"name":"x","config":"#
                    + secret + "}}}}")
            #expect(task.defect == nil && task.unsupported.isEmpty)
            #expect(task.container?.pullSecret == read)
            #expect(TaskInfo(WireTaskInfo(task, ResourceForm(.both))).container?.pullSecret == read)
            #expect(task.withoutSecretValues.container?.pullSecret?.value == nil)
            let coded = String(decoding: try JSONEncoder().encode(task), as: UTF8.self)
            #expect(!coded.contains("e30") && !coded.contains("123,125"))
        }
    }

    @Test func `limits above a task's resources are read, infinity too, and lower ones are an error`() throws {
        let task = try Self.task(#""limits":{"cpus":{"value":1.5},"mem":{"value":"Infinity"}}"#)
        #expect(task.defect == nil && task.unsupported.isEmpty)
        #expect(task.limits == TaskLimits(cpus: 1_500, mem: .max))
        #expect(TaskInfo(WireTaskInfo(task, ResourceForm(.both))).limits == task.limits)
        let resources = #""resources":[{"name":"mem","type":"SCALAR","scalar":{"value":32}}],"#
        let low = try Self.task(resources + #""limits":{"mem":{"value":31}}"#)
        #expect(low.defect?.contains("limits.mem") == true, "\(low.defect ?? "nothing")")
        #expect(try Self.task(#""limits":{"disk":{"value":1}}"#).unsupported == ["limits.disk"])
    }

    @Test func `health checks and checks are read with Mesos' defaults, and written as they were`() throws {
        let task = try Self.task(
            """
            "health_check":{"type":"HTTP","http":{"port":8080,"path":"/ok","scheme":"https","statuses":[204]},
            "grace_period_seconds":2.5,"consecutive_failures":1},
            "check":{"type":"COMMAND","command":{"command":{"value":"exit 0"}},"interval_seconds":1}
            """)
        #expect(task.defect == nil)
        let health = try #require(task.healthCheck)
        #expect(health.grace == .milliseconds(2_500))
        #expect(health.consecutiveFailures == 1)
        #expect(health.probe.delay == .seconds(15) && health.probe.interval == .seconds(10))
        #expect(health.probe.timeout == .seconds(20))
        #expect(
            health.probe.kind == .http(scheme: "https", port: 8_080, path: "/ok", statuses: [204], version: .v4))
        #expect(task.check?.interval == .seconds(1))
        let again = TaskInfo(WireTaskInfo(task, ResourceForm(.both)))
        #expect(again.healthCheck == health)
        #expect(again.check == task.check)
    }

    @Test func `what a check has found is written with its type, also when it is nothing`() throws {
        func json(_ result: CheckResult) throws -> String {
            var status = TaskStatus(
                taskID: TaskID("t"), state: .running, source: .executor, timestamp: UnixTime(nanoseconds: 0))
            status.checkResult = result
            return String(decoding: try WireCodec.encode(WireTaskStatus(status), as: .json), as: UTF8.self)
        }
        #expect(try json(.command(nil)).contains(#""check_status":{"type":"COMMAND","command":{}}"#))
        #expect(try json(.http(204)).contains(#""check_status":{"type":"HTTP","http":{"status_code":204}}"#))
        #expect(try json(.tcp(false)).contains(#""check_status":{"type":"TCP","tcp":{"succeeded":false}}"#))
    }

    @Test(
        arguments: [
            (#""container":{"type":"DOCKER"}"#, "docker"),
            (#""container":{"type":"DOCKER","docker":{"image":""}}"#, "docker.image"),
            (#""container":{"type":"MESOS","mesos":{"image":{"type":"APPC"}}}"#, "mesos.image"),
            (
                #""container":{"type":"DOCKER","docker":{"image":"x","network":"USER"}}"#, "network_infos[0].name"
            ),
            (
                #""container":{"type":"DOCKER","docker":{"image":"x","network":"BRIDGE","port_mappings":[{"host_port":70000,"container_port":1}]}}"#,
                "port_mappings"
            ),
            (
                #""container":{"type":"DOCKER","docker":{"image":"x"},"volumes":[{"container_path":"/x","mode":"RW"}]}"#,
                "volumes[0].source"
            ),
            (
                #""container":{"type":"DOCKER","docker":{"image":"x"},"volumes":[{"container_path":"/x","mode":"RW","host_path":"../x"}]}"#,
                "volumes[0].source"
            ),
            (
                #""container":{"type":"MESOS","rlimit_info":{"rlimits":[{"type":"RLMT_NOFILE","soft":5}]}}"#,
                "rlimit_info.rlimits[0].soft"
            ),
            (#""health_check":{"type":"TCP"}"#, "health_check.tcp"),
            (#""health_check":{"type":"TCP","tcp":{"port":0}}"#, "health_check.tcp.port"),
            (#""health_check":{"type":"HTTP","http":{"port":1,"path":"x"}}"#, "health_check.http.path"),
            (#""health_check":{"type":"HTTP","http":{"port":1,"scheme":"ftp"}}"#, "health_check.http.scheme"),
            (#""health_check":{"type":"TCP","tcp":{"port":1},"delay_seconds":-1}"#, "delay_seconds"),
            (#""check":{"type":"COMMAND"}"#, "check.command"),
        ])
    func `what is wrong with a container or a check is named`(_ json: String, _ place: String) throws {
        let task = try Self.task(json)
        #expect(task.defect?.contains(place) == true, "\(task.defect ?? "nothing") for \(json)")
    }

    @Test(
        arguments: [
            #"{"type":"DOCKER","docker":{"image":"x"},"network_infos":[{"name":"a"},{"name":"b"}]}"#,
            #"{"type":"MESOS","linux_info":{"seccomp":{"profile_name":"p"}}}"#,
            #"{"type":"DOCKER","docker":{"image":"x"},"volumes":[{"container_path":"/x","mode":"RW","source":{"type":"DOCKER_VOLUME","docker_volume":{"driver":"nfs","name":"v"}}}]}"#,
        ])
    func `what cannot be had yet is named as such`(_ json: String) throws {
        let task = try Self.task(#""container":"# + json)
        #expect(task.defect == nil)
        #expect(task.unsupported.contains { $0.hasPrefix("container.") }, "\(task.unsupported)")
    }
}
