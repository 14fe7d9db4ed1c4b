// What the log of the console must make of output. Each case: a name, what is read (a list of pieces of it), and the
// lines that come of it, each as text and classes in turn. StyledTextTests.swift has the same for what the master draws.
'use strict';
self.logCases = [
  {name: 'lines', read: ['one\ntwo\nrest'], lines: [['one', ''], ['two', '']], rest: 'rest'},
  {name: 'carriage return before a line feed', read: ['one\r\ntwo\n'], lines: [['one', ''], ['two', '']]},
  {name: 'they may come apart', read: ['one\r', '\ntwo\n'], lines: [['one', ''], ['two', '']]},
  {name: 'a progress bar overwrites its line', read: ['10 %\r20 %\r30 %\n'], lines: [['30 %', '']]},
  {name: 'colours', read: ['\x1b[31mred\x1b[0m plain\n'], lines: [['red', 'f1', ' plain', '']]},
  {name: 'a sequence in pieces', read: ['a\x1b[3', '1mb\n'], lines: [['a', '', 'b', 'f1']]},
  {name: 'colours last over lines', read: ['\x1b[32ma\nb\n'], lines: [['a', 'f2'], ['b', 'f2']]},
  {name: 'reversed', read: ['\x1b[7;33ma\n'], lines: [['a', 'b3']]},
  {name: 'true colours become one of sixteen', read: ['\x1b[38;2;255;0;0ma\x1b[38;5;21mb\n'], lines: [['a', 'f9', 'b', 'f12']]},
  {name: 'bold and back', read: ['\x1b[1ma\x1b[22mb\n'], lines: [['a', 'tb', 'b', '']]},
  {name: 'other sequences are left out', read: ['a\x1b[2J\x1b[5;5H\x1b]0;title\x07b\x1b(Bc\n'], lines: [['abc', '']]},
  {name: 'control characters are drawn', read: ['a\x00b\x07\n'], lines: [['a\u2400b\u2407', '']]},
  {name: 'what turns the direction is drawn', read: ['a\u202eb\n'], lines: [['a\ufffdb', '']]},
  {name: 'markup is text', read: ['<script>\n'], lines: [['<script>', '']]},
  {name: 'long lines are cut', read: ['x'.repeat(1 << 20) + '\n'], lines: [['x'.repeat(4096), '', ' … 1044480 more characters', 'cut']]},
  {name: 'a long line in many pieces', read: Array(300).fill('y'.repeat(5000)).concat('\n'),
    lines: [['y'.repeat(4096), '', ' … 1495904 more characters', 'cut']]},
  {name: 'a sequence without end is text', read: ['\x1b[' + '1;'.repeat(500) + 'm\n'], least: 1},
  {name: 'pieces have an end', read: ['\x1b[31ma\x1b[32mb'.repeat(1000) + '\n'], pieces: 200},
];

self.checkLog = () => {
  const wrong = [];
  for (const test of self.logCases) {
    const reader = new RondoLogReader();
    const lines = test.read.flatMap(part => reader.read(new TextEncoder().encode(part)));
    const got = lines.map(line => line.flat());
    if (test.lines && JSON.stringify(got) !== JSON.stringify(test.lines)) {
      wrong.push(`${test.name}: ${JSON.stringify(got).slice(0, 300)}`);
    }
    if (test.rest !== undefined && reader.pieces.map(piece => piece[0]).join('') !== test.rest) wrong.push(`${test.name}: rest`);
    if (test.least && lines.length < test.least) wrong.push(`${test.name}: no line`);
    if (test.pieces && lines[0].length > test.pieces) wrong.push(`${test.name}: ${lines[0].length} pieces`);
  }
  return wrong;
};
