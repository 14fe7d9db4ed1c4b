import Testing

@testable import OperatorCommands

/// Golden texts: what people see, and what programs read, for documents as the master writes them.
struct TableTests {
    private func decoded<Document: Decodable>(_ type: Document.Type, _ json: String) throws -> Document {
        try JSONValueDecoding.decode(type, json)
    }

    private static let task = """
        {"id":"web.1","framework":"f-1","frameworkName":"web","name":"web","state":"TASK_RUNNING","ended":false,
        "node":"a-1","hostname":"agent1","role":"*","user":"root","resources":{"cpus":0.5,"gpus":0,"mem":64,"disk":0,
        "ports":"[31000-31001]"},"directory":"/d","firstStatusAt":"2026-03-30T15:50:16.187Z",
        "lastStatusAt":"2026-03-30T15:50:17.001Z","labels":[],
        "statuses":[{"state":"TASK_STARTING","timestamp":1.5,"source":"SOURCE_EXECUTOR"},
        {"state":"TASK_RUNNING","timestamp":2,"source":"SOURCE_EXECUTOR"}],
        "command":{"shell":false,"value":"sh","argv":["sh","-c","echo hi"]}}
        """

    @Test func `tasks are aligned by character`() throws {
        let other = Self.task.replacing("web.1", with: "zähler.22").replacing("agent1", with: "a")
            .replacing("TASK_RUNNING", with: "TASK_GONE_BY_OPERATOR")
        let document = try decoded(TasksDocument.self, "{\"tasks\":[\(Self.task),\(other)]}")
        #expect(
            TaskCommand.table(document) == """
                TASK       STATE             NODE    ROLE  CPUS  MEM  FRAMEWORK  SINCE
                web.1      running           agent1  *      0.5   64  web        2026-03-30T15:50:17Z
                zähler.22  gone_by_operator  a       *      0.5   64  web        2026-03-30T15:50:17Z
                """)
    }

    @Test func `a list of nothing is its head`() {
        #expect(TaskCommand.table(TasksDocument(tasks: [])) == "TASK  STATE  NODE  ROLE  CPUS  MEM  FRAMEWORK  SINCE")
    }

    @Test func `a task in detail`() throws {
        #expect(
            TaskCommand.details(try decoded(TaskDocument.self, Self.task)) == """
                task          web.1
                state         running
                framework     web (f-1)
                node          agent1 (a-1)
                role          *
                user          root
                resources     cpus 0.5, mem 64, ports [31000-31001]
                command       sh -c echo hi
                directory     /d
                first status  2026-03-30T15:50:16Z
                last status   2026-03-30T15:50:17Z
                history       starting → running
                """)
    }

    private static let node = """
        {"id":"a-1","hostname":"agent1","address":"127.0.0.1","port":5051,"state":"connected","version":"0.1.0",
        "registeredAt":"2026-03-30T15:50:16.187Z","resources":{"cpus":2,"gpus":0,"mem":2048,"disk":100},
        "used":{"cpus":0.25,"gpus":0,"mem":64,"disk":0},"offered":{"cpus":0,"gpus":0,"mem":0,"disk":0},
        "attributes":{"rack":"a","slots":4},"tasks":2}
        """

    @Test func `nodes with what is used of them, sorted by name`() throws {
        let second = Self.node.replacing("agent1", with: "agent0").replacing("a-1", with: "a-2")
        let document = try decoded(NodesDocument.self, "{\"nodes\":[\(Self.node),\(second)]}")
        #expect(
            NodeCommand.table(document) == """
                NODE    ADDRESS         STATE        CPUS      MEM   DISK  TASKS  ATTRIBUTES      ID
                agent0  127.0.0.1:5051  connected  0.25/2  64/2048  0/100      2  rack:a,slots:4  a-2
                agent1  127.0.0.1:5051  connected  0.25/2  64/2048  0/100      2  rack:a,slots:4  a-1
                """)
    }

    @Test func `roles with their shares`() throws {
        let document = try decoded(
            RolesDocument.self,
            """
            {"roles":[{"name":"analytics","weight":1,"dominantShare":0.6667,"dominantResource":"cpus",
            "allocated":{"cpus":4,"mem":128},"frameworks":[{"id":"f-1","name":"run wc","dominantShare":0.6667,
            "takesOffers":true,"allocated":{}}]},{"name":"*","weight":2.5,"dominantShare":0,"allocated":{},"frameworks":[]}]}
            """)
        #expect(
            RoleCommand.table(document) == """
                ROLE       WEIGHT  SHARE  OF    CPUS  MEM  FRAMEWORKS
                analytics       1  66.7%  cpus     4  128  run wc
                *             2.5     0%  -        0    0  -
                """)
    }

    @Test func `frameworks, and why one does not run`() throws {
        let framework = """
            {"id":"f-1","name":"run wc","user":"root","state":"connected","roles":["a","b"],"suppressedRoles":[],
            "capabilities":["MULTI_ROLE"],"failoverTimeoutSeconds":30.0,"used":{"cpus":1,"mem":32,"disk":0},
            "offered":{"cpus":0},"tasks":{"live":3,"ended":1},"labels":[]}
            """
        #expect(
            FrameworkCommand.table(try decoded(FrameworksDocument.self, "{\"frameworks\":[\(framework)]}")) == """
                FRAMEWORK  STATE      ROLES  TASKS  CPUS  MEM  ID
                run wc     connected  a,b        3     1   32  f-1
                """)
        let why = """
            {"explanations":[{"subject":"framework f-1 (run wc)","facts":["connected, with 0 live tasks"],"agents":[
            {"node":"a-1","hostname":"agent1","role":"*","text":"cpus is short by 3","offerable":"cpus:1"}]}]}
            """
        #expect(
            WhyCommand.text(try decoded(ExplanationsDocument.self, why)) == """
                framework f-1 (run wc)
                  connected, with 0 live tasks
                  agent1, role *: cpus is short by 3
                """)
    }

    @Test func `names cannot move the cursor`() {
        var table = TextTable("A", "B#")
        table.add("x\u{1b}[2J\ny", nil)
        #expect(table.text == "A        B\nx [2J y  -")
    }

    @Test(arguments: [
        (0.0, "0"), (1, "1"), (0.1, "0.1"), (0.05, "0.05"), (1.2345, "1.235"), (-2.5, "-2.5"),
        (1e14, "100000000000000"),
        (.infinity, "-"), (.nan, "-"),
    ])
    func `numbers have no digits that say nothing`(value: Double, text: String) {
        #expect(Words.number(value) == text)
    }

    @Test func `JSON stays what it was`() throws {
        let text = #"{"a":[1,2.5,"ü\n",null,true,{}],"b":9007199254740993}"#
        #expect(String(decoding: try JSONValue(parsing: Array(text.utf8)).encoded(), as: UTF8.self) == text)
    }
}
