#!/bin/sh
# Remakes ../Generated from the descriptions in this folder. Run it after a change and commit both.
#
# Needs protoc (apt-get install protobuf-compiler) and protoc-gen-swift of the swift-protobuf version in Package.swift:
#   swift build --product protoc-gen-swift   in a checkout of it, e.g. .build/checkouts/swift-protobuf
# Usage: ./generate.sh path/to/protoc-gen-swift
set -eu
plugin=${1:?usage: ./generate.sh path/to/protoc-gen-swift}
cd "$(dirname "$0")"
protoc --plugin=protoc-gen-swift="$plugin" \
    --swift_opt=Visibility=Public --swift_opt=UseAccessLevelOnImports=true \
    --swift_out=../Generated ./*.proto

# The generated code knows that something is wrong inside a message, not where; with this table an error names the field.
awk '
    BEGIN {
        print "// Made by Protos/generate.sh; do not edit."
        print "// swift-format-ignore-file"
        print ""
        print "/// One line per message: its protobuf name, then number and name of each field, with `!` when it is required."
        print "let fieldTable: StaticString = \"\"\""
    }
    { sub(/\/\/.*/, "") }
    /^package/ { package = $2; sub(/;/, "", package); depth = 0 }
    {
        line = $0
        if (line ~ /^ *(message|enum|oneof) /) {
            split(line, words, " ")
            depth++
            kind[depth] = words[1]
            name[depth] = words[2]
            fields[depth] = ""
        }
        level = depth
        while (level > 0 && kind[level] == "oneof") level--
        if (kind[level] == "message" && match(line, /[a-zA-Z_0-9]+ = [0-9]+( \[[^\]]*\])?;/)) {
            split(substr(line, RSTART, RLENGTH), words, /[ =;]+/)
            mark = line ~ /(^|[{ ])required / ? "!" : ":"
            fields[level] = fields[level] " " words[2] mark words[1]
        }
        closing = gsub(/}/, "}", line)
        while (closing-- > 0) {
            if (kind[depth] == "message" && fields[depth] != "") {
                path = package
                for (level = 1; level <= depth; level++) path = path "." name[level]
                print "    " path fields[depth]
            }
            depth--
        }
    }
    END { print "    \"\"\"" }
' ./*.proto > ../Generated/FieldTable.swift
