import Testing

@testable import ContainerRuntime

@Suite struct CommandFlagTests {
    static let flags = [
        Flag("bundle", "b", help: ""), Flag("detach", "d", kind: .switched, help: ""),
        Flag("env", "e", kind: .list, help: ""), Flag("preserve-fds", kind: .integer, help: ""),
        Flag("additional-gids", "g", kind: .integers, help: ""),
    ]

    private func parse(_ line: String, interspersed: Bool = true) throws(RuntimeFailure) -> ParsedFlags {
        try FlagParser.parse(
            line.split(separator: " ").map(String.init), flags: Self.flags, interspersed: interspersed)
    }

    @Test(arguments: [
        "--bundle /b web", "--bundle=/b web", "-bundle /b web", "-bundle=/b web", "-b /b web", "--b /b web",
        "-b=/b web", "web --bundle /b", "web -b=/b", "--bundle /a --bundle /b web", "-b /b -- web",
    ])
    func `a value comes after the flag or after an equals sign, before or behind the arguments`(
        line: String
    ) throws {
        let parsed = try parse(line)
        #expect(parsed.text("bundle") == "/b")
        #expect(parsed.arguments == ["web"])
    }

    @Test(arguments: [
        ("-d web", true), ("--detach=true x", true), ("-d=1", true), ("--detach=F", false), ("web", false),
    ])
    func `a switch takes a value only after an equals sign`(line: String, isSet: Bool) throws {
        #expect(try parse(line).flag("detach") == isSet)
    }

    @Test func `a switch does not eat the argument behind it`() throws {
        let parsed = try parse("-d true web")
        #expect(parsed.flag("detach"))
        #expect(parsed.arguments == ["true", "web"])
    }

    @Test func `a list keeps every value in order and as it is`() throws {
        let parsed = try parse("-e A=1,2 --env B= --env=C=x=y web -g 1 -g 2")
        #expect(parsed.list("env") == ["A=1,2", "B=", "C=x=y"])
        #expect(parsed.list("additional-gids") == ["1", "2"])
    }

    @Test func `a value may look like a flag`() throws {
        #expect(try parse("--preserve-fds -1 web").integer("preserve-fds") == -1)
        #expect(try parse("--bundle --detach web").text("bundle") == "--detach")
    }

    @Test func `two dashes end the flags`() throws {
        let parsed = try parse("web -- -d --unknown -- x")
        #expect(parsed.arguments == ["web", "-d", "--unknown", "--", "x"])
        #expect(!parsed.flag("detach"))
    }

    @Test func `one dash is an argument`() throws {
        #expect(try parse("- -d").arguments == ["-"])
    }

    @Test func `a program's arguments are left alone`() throws {
        let parsed = try parse("-d web sh -d -b --help", interspersed: false)
        #expect(parsed.arguments == ["web", "sh", "-d", "-b", "--help"])
        #expect(!parsed.wantsHelp)
    }

    @Test func `what looks like a flag behind an argument is an argument unless it is known`() throws {
        let parsed = try parse("web -9 -d")
        #expect(parsed.arguments == ["web", "-9"])
        #expect(parsed.flag("detach"))
    }

    @Test(arguments: ["-h", "--help", "-help", "web --help", "-d -h web"])
    func `help can be asked for anywhere`(line: String) throws {
        #expect(try parse(line).wantsHelp)
    }

    @Test(arguments: [
        ("--nothing web", "flag provided but not defined: -nothing"),
        ("-x=1", "flag provided but not defined: -x"),
        ("-db web", "flag provided but not defined: -db"),
        ("--bundle", "flag needs an argument: -bundle"),
        ("web -b", "flag needs an argument: -b"),
        ("---bundle x", "bad flag syntax: ---bundle"),
        ("--=x", "bad flag syntax: --=x"),
        ("-=x", "bad flag syntax: -=x"),
        ("--detach=maybe", "invalid boolean value \"maybe\" for -detach: use true or false"),
        ("--preserve-fds many", "invalid value \"many\" for flag -preserve-fds: a whole number is needed"),
        (
            "--preserve-fds 99999999999999999999",
            "invalid value \"99999999999999999999\" for flag -preserve-fds: a whole number is needed"
        ),
        ("-g 1 -g x", "invalid value \"x\" for flag -g: a whole number is needed"),
    ])
    func `what cannot be understood is refused`(line: String, message: String) {
        #expect(throws: RuntimeFailure(message)) { try parse(line) }
    }

    @Test func `every command takes the flags that callers of runc give`() throws {
        let lines = [
            "create --bundle /b --pid-file /p --console-socket /s --no-pivot --no-new-keyring --preserve-fds 2 id",
            "run -d --keep -b /b --pid-file=/p id", "start id", "state id", "kill --all id KILL", "kill id 15",
            "delete --force id", "delete id -f", "list -q", "list --format json", "ps -f json id", "ps id -e -x",
            "exec --cwd / -e A=b -t -u 1:2 -g 3 --detach --pid-file /p --no-new-privs --cap CAP_KILL id sh -c x",
            "exec --process /p --detach --process-label l --apparmor a --preserve-fds 0 --ignore-paused id",
            "exec --cgroup cpu:/x --console-socket /s id true", "pause id", "resume id", "update --resources - id",
            "update id --memory 64m --memory-swap -1 --memory-reservation 1k --pids-limit -1 --blkio-weight 10",
            "update id --cpu-period 1 --cpu-quota 1 --cpu-burst 1 --cpu-share 1 --cpu-rt-period 1 --cpu-rt-runtime 1",
            "update id --cpuset-cpus 0 --cpuset-mems 0 --cpu-idle 1 --l3-cache-schema x --mem-bw-schema y",
            "events --stats id", "events --interval 1s id", "features", "spec --rootless -b /b",
        ]
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            let command = try #require(CommandTable.command(words[0]))
            let parsed = try FlagParser.parse(
                words.dropFirst(), flags: command.flags, interspersed: command.interspersed)
            #expect(throws: Never.self, "\(line)") { try command.check(parsed.arguments) }
        }
    }

    @Test func `a wrong number of arguments is refused in runc's words`() throws {
        func failure(_ name: String, _ arguments: [String]) -> String? {
            do throws(RuntimeFailure) {
                try CommandTable.command(name)?.check(arguments)
                return nil
            } catch {
                return error.message
            }
        }
        #expect(failure("create", []) == "\"create\" requires exactly 1 argument(s): create <container-id>")
        #expect(failure("state", ["a", "b"])?.contains("requires exactly 1 argument(s)") == true)
        #expect(failure("kill", [])?.contains("requires a minimum of 1 argument(s)") == true)
        #expect(failure("kill", ["a", "b", "c"])?.contains("requires a maximum of 2 argument(s)") == true)
        #expect(failure("exec", ["a", "b", "c"]) == nil)
    }

    @Test func `the help of every command begins as runc's and has an example`() {
        for command in CommandTable.all {
            let help = command.help(program: "runc")
            #expect(help.hasPrefix("NAME:\n   runc \(command.name) - "))
            #expect(help.contains("EXAMPLES:\n   # "))
            #expect(help.contains("--help, -h"))
            #expect(!help.contains("\t"))
        }
        #expect(ContainerRuntime.help("rondo oci").contains(" - Open Container Initiative runtime\n"))
    }
}
