// What the terminal of the console must make of what programs write. Each case: a name, what is written (a text, or a
// list of them written one after the other), and what is to be seen; `size` is columns and rows, 10 x 4 unless said.
'use strict';
const E = '\x1b', C = '\x1b[';
self.terminalCases = [
  {name: 'text', write: 'hello', screen: ['hello'], at: [5, 0]},
  {name: 'line feed and carriage return', write: 'ab\r\ncd', screen: ['ab', 'cd'], at: [2, 1]},
  {name: 'line feed alone keeps the column', write: 'ab\ncd', screen: ['ab', '  cd']},
  {name: 'backspace moves and erases nothing', write: 'abc\b\bX', screen: ['aXc']},
  {name: 'tabs stop at every eighth column', size: [20, 2], write: 'a\tb\tc', screen: ['a       b       c']},
  {name: 'a tab stop that is set', size: [20, 2], write: `${C}5G${E}H\r\tx`, screen: ['    x']},
  {name: 'tab stops that are cleared', size: [20, 2], write: `${C}3g\tx`, screen: [' '.repeat(19) + 'x']},
  {name: 'lines wrap at the right edge', write: '0123456789ab', screen: ['0123456789', 'ab']},
  {name: 'the last column waits before it wraps', write: '0123456789\rX', screen: ['X123456789']},
  {name: 'no wrapping when it is switched off', write: `${C}?7l0123456789ab`, screen: ['012345678b']},
  {name: 'the screen scrolls', write: '1\r\n2\r\n3\r\n4\r\n5', screen: ['2', '3', '4', '5'], history: 1},
  {name: 'cursor to a place', write: `${C}3;4HX`, screen: ['', '', '   X'], at: [4, 2]},
  {name: 'cursor beyond the edge stays inside', write: `${C}99;99HX`, screen: ['', '', '', '         X']},
  {name: 'cursor up, down, right, left', write: `${C}2;2H${C}A${C}2B${C}3C${C}2DX`, screen: ['', '', '  X']},
  {name: 'column and line alone', write: `${C}5G${C}3dX`, screen: ['', '', '    X']},
  {name: 'next and previous line', write: `ab${C}2Ecd${C}Fef`, screen: ['ab', 'ef', 'cd']},
  {name: 'erase to the end of the line', write: `abcdef${C}3D${C}K`, screen: ['abc']},
  {name: 'erase to the beginning of the line', write: `abcdef${C}3D${C}1K`, screen: ['    ef']},
  {name: 'erase the line', write: `abcdef${C}2K`, screen: [''], at: [6, 0]},
  {name: 'erase below', write: `11\r\n22\r\n33${C}2;2H${C}J`, screen: ['11', '2', '']},
  {name: 'erase above', write: `11\r\n22\r\n33${C}2;1H${C}1J`, screen: ['', ' 2', '33']},
  {name: 'erase the screen keeps the cursor', write: `11\r\n22${C}2J`, screen: [''], at: [2, 1]},
  {name: 'erase what was scrolled away', write: `1\r\n2\r\n3\r\n4\r\n5${C}3J`, screen: ['2', '3', '4', '5'], history: 0},
  {name: 'erase characters', write: `abcdef\r${C}2C${C}2X`, screen: ['ab  ef']},
  {name: 'delete characters', write: `abcdef\r${C}2C${C}2P`, screen: ['abef']},
  {name: 'insert characters', write: `abcdef\r${C}2C${C}2@`, screen: ['ab  cdef']},
  {name: 'insert mode', write: `abc\r${C}4hX${C}4l`, screen: ['Xabc']},
  {name: 'insert lines', write: `1\r\n2\r\n3${C}2;1H${C}L`, screen: ['1', '', '2', '3']},
  {name: 'delete lines', write: `1\r\n2\r\n3${C}1;1H${C}M`, screen: ['2', '3', ''], history: 0},
  {name: 'a region scrolls alone', write: `1\r\n2\r\n3\r\n4${C}2;3r${C}3;1H\n`, screen: ['1', '3', '', '4'], history: 0},
  {name: 'reverse index at the top of a region', write: `1\r\n2\r\n3\r\n4${C}2;3r${C}2;1H${E}M`, screen: ['1', '', '2', '4']},
  {name: 'scroll up and down', write: `1\r\n2\r\n3\r\n4${C}S`, screen: ['2', '3', '4', '']},
  {name: 'origin mode counts from the region', write: `${C}2;3r${C}?6h${C}1;1HX${C}9;1HY`, screen: ['', 'X', 'Y']},
  {name: 'save and restore the cursor', write: `ab${E}7${C}3;1Hx${E}8cd`, screen: ['abcd', '', 'x']},
  {name: 'the alternate screen comes and goes', write: `shell${C}?1049h${C}Hvi`, screen: ['vi'], alternate: true},
  {name: 'what was there comes back', write: `shell${C}?1049h${C}Hvi${C}?1049l!`, screen: ['shell!'], alternate: false},
  {name: 'the alternate screen has no history', write: `${C}?1049h1\r\n2\r\n3\r\n4\r\n5`, screen: ['2', '3', '4', '5'], history: 0},
  {name: 'sixteen colours', write: `${C}31;44mx`, screen: ['x'], looks: ['f1 b4']},
  {name: 'bright colours', write: `${C}93;102mx`, screen: ['x'], looks: ['f11 b10']},
  {name: '256 colours', write: `${C}38;5;196;48;5;3mx`, looks: ['b3/196/0']},
  {name: '256 colours with colons', write: `${C}38:5:2mx`, looks: ['f2']},
  {name: 'true colours become the nearest', write: `${C}38;2;255;0;0mx${C}38:2::0:0:255my`, looks: ['/196/0', '/21/0']},
  {name: 'bold, underlined, reversed, and back', write: `${C}1;4;7mx${C}22;24;27my`, looks: ['tfi tbi tb tu', '']},
  {name: 'reset takes all looks away', write: `${C}1;31mx${C}my`, looks: ['f1 tb', '']},
  {name: 'erased cells keep the ground', write: `${C}44m${C}K`, looks: ['b4']},
  {name: 'wide characters take two cells', write: '日本x', screen: ['日本x'], at: [5, 0]},
  {name: 'a wide character does not fit into the last column', write: '012345678日', screen: ['012345678', '日']},
  {name: 'half a wide character is none', write: '日\r X', screen: [' X']},
  {name: 'combining marks join what is before them', write: 'e\u0301x', screen: ['e\u0301x'], at: [2, 0]},
  {name: 'UTF-8 in pieces', write: [new Uint8Array([0xe6, 0x97]), new Uint8Array([0xa5])], screen: ['日']},
  {name: 'broken UTF-8 is shown as such', write: [new Uint8Array([0xff, 0x41])], screen: ['\ufffdA']},
  {name: 'sequences in pieces', write: [E, '[', '3', '1', 'mx'], looks: ['f1']},
  {name: 'lines drawn with DEC\'s characters', write: `${E}(0lqk${E}(Bq`, screen: ['┌─┐q']},
  {name: 'shift out and in', write: `${E})0\x0eq\x0fq`, screen: ['─q']},
  {name: 'repeat the last character', write: `ab${C}3b`, screen: ['abbbb']},
  {name: 'where is the cursor', write: `${C}2;3H${C}6n`, reply: `${C}2;3R`},
  {name: 'what are you', write: `${C}c`, reply: `${C}?1;2c`},
  {name: 'cursor hidden', write: `${C}?25l`, mode: {cursor: false}},
  {name: 'keys for applications', write: `${C}?1h`, mode: {applicationKeys: true}},
  {name: 'bracketed paste', write: `${C}?2004h`, mode: {paste: true}},
  {name: 'a full reset', write: `${C}31mab${C}2;3r${E}cx`, screen: ['x'], looks: ['']},
  {name: 'a soft reset', write: `${C}2;3r${C}4h${C}!px`, screen: ['x'], mode: {insert: undefined}},
  {name: 'a title is passed over', write: `a${E}]0;evil\x07b`, screen: ['ab']},
  {name: 'a clipboard is passed over', write: `a${E}]52;c;ZXZpbA==${E}\\b`, screen: ['ab']},
  {name: 'device strings are passed over', write: `a${E}P1$r0m${E}\\b${E}_x${E}\\c${E}^y${E}\\d`, screen: ['abcd']},
  {name: 'a string without end swallows text, and nothing grows', write: [`a${E}]0;` + 'x'.repeat(200000)], screen: ['a']},
  {name: 'CAN ends a sequence', write: `${C}3\x18x`, screen: ['x']},
  {name: 'ESC begins anew', write: `${C}3${C}1mx`, looks: ['tb']},
  {name: 'control characters inside a sequence', write: `ab${C}\r1mx`, screen: ['xb'], looks: ['tb', '']},
  {name: 'numbers without end', write: `${C}${'9'.repeat(5000)}Cx`, screen: ['         x']},
  {name: 'parameters without end', write: `${C}${'1;'.repeat(5000)}mx`, screen: ['x']},
  {name: 'unknown sequences leave no trace', write: `${C}?999h${C}>4;2m${C}5 q${C}22;0;0t${E}#3x`, screen: ['x']},
  {name: 'questions without end get few answers', write: `${C}6n`.repeat(5000), replies: 32},
  {name: 'marks without end stay in one cell', write: 'e' + '\u0301'.repeat(5000) + 'x', at: [2, 0], cell: 40},
  {name: 'characters that turn the direction are left out', write: 'a\u202ebc\u2066d', screen: ['abcd']},
  {name: 'history has an end', write: 'x\r\n'.repeat(5000), history: 2000},
  {name: 'repeating has an end', write: `x${C}9999b`, history: 1},
  {name: 'C1 characters are none', write: 'a\u009b31mb', screen: ['a31mb']},
  {name: 'markup is text', size: [40, 2], write: '<img src=x onerror=alert(1)>', screen: ['<img src=x onerror=alert(1)>']},
  {name: 'smaller: lines go up', resize: [10, 2], write: '1\r\n2\r\n3\r\n4', screen: ['3', '4'], history: 2},
  {name: 'larger: lines come below', resize: [12, 6], write: '1\r\n2', screen: ['1', '2', '', '', '', ''], at: [1, 1]},
  {name: 'narrower: lines are cut', resize: [3, 4], write: 'abcdef', screen: ['abc'], at: [2, 0]},
];

// What is wrong, a line each; nothing when all is well.
self.checkTerminal = () => {
  const wrong = [];
  for (const test of self.terminalCases) {
    const replies = [];
    const screen = new RondoScreen(...(test.size || [10, 4]), text => replies.push(text));
    const parts = Array.isArray(test.write) ? test.write : [test.write];
    for (const part of parts) screen.write(typeof part === 'string' ? new TextEncoder().encode(part) : part);
    if (test.resize) screen.resize(...test.resize);
    const say = (what, wanted, got) => {
      if (JSON.stringify(wanted) !== JSON.stringify(got)) {
        wrong.push(`${test.name}: ${what} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
      }
    };
    if (test.screen) {
      say('the screen', test.screen.concat(Array(Math.max(0, screen.rows - test.screen.length)).fill('')).join('\n'),
        screen.toString());
    }
    if (test.at) say('the cursor', test.at, [screen.x, screen.y]);
    if (test.history !== undefined) say('the history', test.history, screen.history.length);
    if (test.alternate !== undefined) say('the alternate screen', test.alternate, !!screen.alternate);
    if (test.reply) say('the reply', [test.reply], replies);
    if (test.replies) say('the number of replies', test.replies, replies.length);
    if (test.looks) {
      const looks = test.looks.map((_, x) => {
        const [name, fg, bg] = RondoLook.names(screen.lines[0].look[x]);
        return fg || bg ? `${name}/${fg}/${bg}` : name;
      });
      say('the look', test.looks, looks);
    }
    for (const [name, value] of Object.entries(test.mode || {})) say(name, value, screen.mode[name]);
    if (test.cell && screen.lines[0].text[0].length > test.cell) wrong.push(`${test.name}: the cell grew`);
    for (const line of screen.lines) {
      if (line.text.length !== screen.columns || line.look.length !== screen.columns) {
        wrong.push(`${test.name}: a line has ${line.text.length} cells`);
      }
    }
  }
  // Anything at all must leave a screen of the right shape.
  let seed = 1;
  const next = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  const pieces = [E, C, '?', ';', ':', '0', '9', '99999', 'm', 'H', 'J', 'K', 'L', 'M', 'P', '@', 'X', 'S', 'T', 'r', 'h', 'l',
    '1049', '47', '7', '6', '4', '日', 'é', 'x', '\n', '\r', '\t', '\b', 'b', 'A', 'B', 'C', 'D', 'Z', 'I', E + 'M', E + '7', E + '8',
    E + 'c', E + '(0', E + ']', '\x07', '\u0301', '😀', '\u202e', '!p', 'n', 'c', 'u', 's', 'g', E + 'H', E + '#8'];
  for (let round = 0; round < 300; round++) {
    const screen = new RondoScreen(1 + Math.floor(next() * 12), 1 + Math.floor(next() * 6));
    let text = '';
    for (let k = 0; k < 200; k++) text += pieces[Math.floor(next() * pieces.length)];
    try {
      screen.text(text);
      screen.resize(1 + Math.floor(next() * 12), 1 + Math.floor(next() * 6));
      screen.text(text);
    } catch (error) {
      wrong.push(`chance ${round}: ${error}`);
      continue;
    }
    const isWhole = lines => lines.length === screen.rows
      && lines.every(line => line.text.length === screen.columns && line.look.length === screen.columns);
    if (!isWhole(screen.main) || screen.alternate && !isWhole(screen.alternate)
      || !(screen.x >= 0 && screen.x < screen.columns && screen.y >= 0 && screen.y < screen.rows)) {
      wrong.push(`chance ${round}: the screen has lost its shape`);
    }
  }
  return wrong;
};
