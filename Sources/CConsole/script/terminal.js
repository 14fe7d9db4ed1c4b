// A command's terminal: an emulator for the part of xterm that programs use, and its view of plain rows of text.
// Whatever a program writes only ever becomes text nodes and known class names; nothing of it is kept without a bound.
(() => {
  'use strict';
  const HISTORY = 2000, PARAMETERS = 32, LARGEST = 9999, REPLIES = 32, COMBINING = 16;
  // A cell's look in one number: foreground 0-8 and background 9-17 (0 is none, else the colour + 1), then flags.
  const FG = 0x1ff, BG = FG << 9;
  const BOLD = 1 << 18, DIM = 1 << 19, ITALIC = 1 << 20, UNDER = 1 << 21, INVERSE = 1 << 22, HIDDEN = 1 << 23,
    STRIKE = 1 << 24;
  const FLAGS = [[BOLD, 'tb'], [DIM, 'td'], [ITALIC, 'ti'], [UNDER, 'tu'], [HIDDEN, 'th'], [STRIKE, 'ts']];
  const SET = {1: BOLD, 2: DIM, 3: ITALIC, 4: UNDER, 7: INVERSE, 8: HIDDEN, 9: STRIKE};
  const CLEAR = {22: BOLD | DIM, 23: ITALIC, 24: UNDER, 27: INVERSE, 28: HIDDEN, 29: STRIKE};
  // DEC's line drawing, from ` to ~.
  const DRAWING = [...'◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·'];
  const NOTHING = /^[\p{Mn}\p{Me}]$/u, FORMAT = /^[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]$/u, EMOJI = /^\p{Emoji_Presentation}$/u;
  const WIDE = [0x1100, 0x115f, 0x2e80, 0x303e, 0x3041, 0x4dbf, 0x4e00, 0xa4cf, 0xa960, 0xa97f, 0xac00, 0xd7a3, 0xf900,
    0xfaff, 0xfe30, 0xfe6f, 0xff01, 0xff60, 0xffe0, 0xffe6, 0x1f300, 0x1f64f, 0x1f900, 0x1f9ff, 0x20000, 0x3fffd];

  // How many cells a character takes; -1 for those that are left out, as what turns the writing direction.
  function width(text, code) {
    if (code < 0x300) return code === 0xad ? -1 : 1;
    if (NOTHING.test(text)) return 0;
    if (FORMAT.test(text)) return -1;
    for (let i = 0; i < WIDE.length && code >= WIDE[i]; i += 2) if (code <= WIDE[i + 1]) return 2;
    return EMOJI.test(text) ? 2 : 1;
  }

  // The nearest of the 256 colours.
  function nearest(r, g, b) {
    const level = v => v < 48 ? 0 : v < 115 ? 1 : Math.min(5, Math.floor((v - 35) / 40));
    const at = l => l ? 55 + l * 40 : 0, far = (x, y, z) => (x - r) ** 2 + (y - g) ** 2 + (z - b) ** 2;
    const [i, j, k] = [level(r), level(g), level(b)];
    const grey = Math.max(0, Math.min(23, Math.round(((r + g + b) / 3 - 8) / 10))), shade = 8 + grey * 10;
    return far(shade, shade, shade) < far(at(i), at(j), at(k)) ? 232 + grey : 16 + 36 * i + 6 * j + k;
  }

  class Screen {
    // reply takes what the terminal answers to questions of the program.
    constructor(columns, rows, reply) {
      this.columns = columns;
      this.rows = rows;
      this.reply = reply || (() => {});
      this.reset();
    }

    reset() {
      this.decoder = new TextDecoder();
      this.main = Array.from({length: this.rows}, () => this.line());
      this.lines = this.main;
      this.alternate = null;
      this.history = [];
      this.dropped = this.dropped || 0;
      this.said = [];
      this.state = 'ground';
      this.kept = {};
      this.soft();
      this.x = this.y = 0;
    }

    // What DECSTR takes back.
    soft() {
      this.look = 0;
      this.wraps = false;
      this.top = 0;
      this.bottom = this.rows - 1;
      this.mode = {wrap: true, cursor: true};
      this.sets = ['B', 'B'];
      this.set = 0;
      this.tabs = null;
      this.last = '';
    }

    line(look = 0) {
      return {text: Array(this.columns).fill(' '), look: Array(this.columns).fill(look), changed: true};
    }

    write(bytes) {
      this.replies = 0;
      this.text(this.decoder.decode(bytes, {stream: true}));
    }

    text(string) {
      for (let i = 0; i < string.length; i++) {
        let code = string.charCodeAt(i), one = string[i];
        if (code >= 0xd800 && code < 0xdc00 && i + 1 < string.length) {
          code = string.codePointAt(i);
          one = String.fromCodePoint(code);
          i++;
        }
        this.take(one, code);
      }
    }

    take(one, code) {
      const state = this.state;
      if (state === 'string') {
        // Titles, clipboards and all that: passed over, and nothing of it is kept.
        if (code === 7 || code === 0x18 || code === 0x1a) this.state = 'ground';
        else if (code === 0x1b) this.state = 'stringEscape';
        return;
      }
      if (state === 'stringEscape') {
        this.state = code === 0x5c ? 'ground' : 'string';
        if (code === 0x1b) this.state = 'stringEscape';
        return;
      }
      if (code === 0x1b) {
        this.state = 'escape';
        this.middle = '';
        return;
      }
      if (code === 0x18 || code === 0x1a) {
        this.state = 'ground';
        return;
      }
      if (code < 0x20) return this.control(code);
      if (state === 'ground') {
        if (code < 0x7f || code > 0x9f) this.print(one, code);
      } else if (state === 'escape') this.escape(one, code);
      else this.sequence(one, code);
    }

    control(code) {
      switch (code) {
        case 8: if (this.x > 0) this.x--; this.wraps = false; break;
        case 9: this.tab(1); break;
        case 10: case 11: case 12: this.newline(); if (this.mode.newline) this.x = 0; break;
        case 13: this.x = 0; this.wraps = false; break;
        case 14: this.set = 1; break;
        case 15: this.set = 0; break;
      }
    }

    print(one, code) {
      if (this.sets[this.set] === '0' && code >= 0x60 && code < 0x7f) one = DRAWING[code - 0x60];
      let size = code < 0x7f ? 1 : width(one, code);
      if (size < 0) return;
      let line = this.lines[this.y];
      if (size === 0) {
        let at = this.wraps ? this.x : this.x - 1;
        if (at > 0 && line.text[at] === '') at--;
        if (at >= 0 && line.text[at].length < COMBINING) line.text[at] += one;
        line.changed = true;
        return;
      }
      if (size > this.columns) size = 1;
      if (this.wraps || this.x + size > this.columns) {
        if (this.mode.wrap) {
          this.newline();
          this.x = 0;
          line = this.lines[this.y];
        } else this.x = this.columns - size;
      }
      this.wraps = false;
      if (this.mode.insert) this.insert(size);
      this.part(line, this.x);
      this.part(line, this.x + size);
      line.text[this.x] = one;
      line.look[this.x] = this.look;
      if (size === 2) {
        line.text[this.x + 1] = '';
        line.look[this.x + 1] = this.look;
      }
      line.changed = true;
      this.last = one;
      this.x += size;
      if (this.x >= this.columns) {
        this.x = this.columns - 1;
        this.wraps = !!this.mode.wrap;
      }
    }

    // What is left of a wide character when its halves are parted here.
    part(line, x) {
      if (x < this.columns && line.text[x] === '') {
        line.text[x] = ' ';
        if (x > 0) line.text[x - 1] = ' ';
      }
    }

    newline() {
      this.wraps = false;
      if (this.lines === this.main) this.note(this.lines[this.y]);
      if (this.y === this.bottom) this.scroll(1);
      else if (this.y < this.rows - 1) this.y++;
    }

    // The last lines, for who hears them.
    note(line) {
      const text = line.text.join('').trim();
      if (text) this.said.push(text.slice(0, 200));
      if (this.said.length > 20) this.said.shift();
    }

    scroll(count, top = this.top) {
      const {lines, bottom} = this, background = this.look & BG;
      const size = bottom - top + 1;
      for (let n = Math.min(Math.abs(count), size); n > 0; n--) {
        if (count > 0) {
          const [gone] = lines.splice(top, 1);
          lines.splice(bottom, 0, this.line(background));
          if (top === 0 && lines === this.main) this.keep(gone);
        } else {
          lines.splice(bottom, 1);
          lines.splice(top, 0, this.line(background));
        }
      }
    }

    keep(line) {
      this.history.push(line);
      if (this.history.length > HISTORY) {
        this.history.shift();
        this.dropped++;
      }
    }

    tab(count) {
      this.wraps = false;
      for (; count > 0 && this.x < this.columns - 1; count--) {
        do this.x++; while (this.x < this.columns - 1 && !this.isStop(this.x));
      }
      for (; count < 0 && this.x > 0; count++) {
        do this.x--; while (this.x > 0 && !this.isStop(this.x));
      }
    }

    isStop(x) { return this.tabs ? this.tabs.has(x) : x % 8 === 0; }
    allTabs() {
      if (!this.tabs) {
        this.tabs = new Set();
        for (let x = 0; x < this.columns; x += 8) this.tabs.add(x);
      }
      return this.tabs;
    }

    move(x, y) {
      const low = this.mode.origin ? this.top : 0, high = this.mode.origin ? this.bottom : this.rows - 1;
      this.x = Math.max(0, Math.min(this.columns - 1, x));
      this.y = Math.max(low, Math.min(high, y));
      this.wraps = false;
    }

    // Up and down stop at the edge of the region that the cursor is in.
    climb(count) {
      const high = this.y <= this.bottom ? this.bottom : this.rows - 1, low = this.y >= this.top ? this.top : 0;
      this.y = Math.max(low, Math.min(high, this.y + count));
      this.wraps = false;
    }

    erase(line, from, to) {
      from = Math.max(0, from);
      to = Math.min(this.columns, to);
      if (from >= to) return;
      this.part(line, from);
      this.part(line, to);
      line.text.fill(' ', from, to);
      line.look.fill(this.look & BG, from, to);
      line.changed = true;
    }

    insert(count) {
      const line = this.lines[this.y];
      count = Math.min(count, this.columns - this.x);
      this.part(line, this.x);
      line.text.splice(this.x, 0, ...Array(count).fill(' '));
      line.look.splice(this.x, 0, ...Array(count).fill(this.look & BG));
      this.cut(line);
    }

    remove(count) {
      const line = this.lines[this.y];
      count = Math.min(count, this.columns - this.x);
      this.part(line, this.x);
      this.part(line, this.x + count);
      line.text.splice(this.x, count);
      line.look.splice(this.x, count);
      this.cut(line);
    }

    // A line as long as the screen is wide.
    cut(line) {
      if (line.text[this.columns] === '') line.text[this.columns - 1] = ' ';
      line.text.length = Math.min(line.text.length, this.columns);
      line.look.length = line.text.length;
      while (line.text.length < this.columns) {
        line.text.push(' ');
        line.look.push(this.look & BG);
      }
      line.changed = true;
    }

    save() {
      this.kept[this.alternate ? 'a' : 'm'] = {
        x: this.x, y: this.y, look: this.look, sets: [...this.sets], set: this.set, origin: this.mode.origin,
        wraps: this.wraps,
      };
    }

    restore() {
      const kept = this.kept[this.alternate ? 'a' : 'm'] || {x: 0, y: 0, look: 0, sets: ['B', 'B'], set: 0};
      this.look = kept.look;
      this.sets = [...kept.sets];
      this.set = kept.set;
      this.mode.origin = kept.origin;
      this.x = Math.min(kept.x, this.columns - 1);
      this.y = Math.min(kept.y, this.rows - 1);
      this.wraps = !!kept.wraps && this.x === this.columns - 1;
    }

    swap(isOn, clears) {
      if (isOn === !!this.alternate) return;
      this.alternate = isOn ? Array.from({length: this.rows}, () => this.line(clears ? this.look & BG : 0)) : null;
      this.lines = this.alternate || this.main;
      this.wraps = false;
    }

    answer(text) {
      if (++this.replies <= REPLIES) this.reply(text);
    }

    escape(one, code) {
      if (code >= 0x20 && code < 0x30) {
        if (this.middle.length < 2) this.middle += one;
        return;
      }
      this.state = 'ground';
      if (this.middle) {
        if ('()'.includes(this.middle)) this.sets[this.middle === '(' ? 0 : 1] = one;
        else if (this.middle === '#' && one === '8') this.fill();
        return;
      }
      switch (one) {
        case '[': Object.assign(this, {state: 'csi', list: [[0]], count: 1, prefix: '', middle: ''}); break;
        case ']': case 'P': case 'X': case '^': case '_': this.state = 'string'; break;
        case '7': this.save(); break;
        case '8': this.restore(); break;
        case 'D': this.newline(); break;
        case 'E': this.newline(); this.x = 0; break;
        case 'H': this.allTabs().add(this.x); break;
        case 'M':
          this.wraps = false;
          if (this.y === this.top) this.scroll(-1);
          else if (this.y > 0) this.y--;
          break;
        case 'c': this.reset(); break;
        case '=': this.mode.keypad = true; break;
        case '>': this.mode.keypad = false; break;
      }
    }

    // DECALN.
    fill() {
      for (const line of this.lines) {
        line.text.fill('E');
        line.look.fill(0);
        line.changed = true;
      }
      this.top = 0;
      this.bottom = this.rows - 1;
      this.x = this.y = 0;
      this.wraps = false;
    }

    sequence(one, code) {
      if (code >= 0x40 && code < 0x7f) {
        this.state = 'ground';
        if (this.middle !== '!') return this.middle ? undefined : this.run(one);
        if (one === 'p') this.soft();
        return;
      }
      const list = this.list, last = list[list.length - 1];
      if (code >= 0x30 && code <= 0x39) {
        last[last.length - 1] = Math.min(LARGEST, last[last.length - 1] * 10 + code - 0x30);
      } else if (one === ';' || one === ':') {
        // Beyond the bound everything goes into the last one, which then is wrong, but small.
        if (++this.count <= PARAMETERS) one === ';' ? list.push([0]) : last.push(0);
      } else if (code >= 0x3c && code <= 0x3f) this.prefix = one;
      else if (code < 0x30) this.middle = (this.middle + one).slice(0, 2);
      else this.state = 'ground';
    }

    run(final) {
      const p = this.list.map(each => each[0]), n = Math.max(1, p[0]);
      if (this.prefix === '?') {
        if (final === 'h' || final === 'l') for (const each of p) this.privateMode(each, final === 'h');
        else if (final === 'J') this.eraseDisplay(p[0]);
        else if (final === 'K') this.eraseLine(p[0]);
        return;
      }
      if (this.prefix) {
        if (this.prefix === '>' && final === 'c') this.answer('\x1b[>0;0;0c');
        return;
      }
      const line = this.lines[this.y], base = this.mode.origin ? this.top : 0;
      const inside = this.y >= this.top && this.y <= this.bottom;
      switch (final) {
        case 'A': this.climb(-n); break;
        case 'B': case 'e': this.climb(n); break;
        case 'C': case 'a': this.move(this.x + n, this.y); break;
        case 'D': this.move(this.x - n, this.y); break;
        case 'E': this.climb(n); this.x = 0; break;
        case 'F': this.climb(-n); this.x = 0; break;
        case 'G': case '`': this.move(n - 1, this.y); break;
        case 'H': case 'f': this.move(Math.max(1, p[1] || 1) - 1, base + n - 1); break;
        case 'I': this.tab(Math.min(n, this.columns)); break;
        case 'Z': this.tab(-Math.min(n, this.columns)); break;
        case 'J': this.eraseDisplay(p[0]); break;
        case 'K': this.eraseLine(p[0]); break;
        case 'L': if (inside) this.scroll(-n, this.y); this.x = 0; this.wraps = false; break;
        case 'M':
          // Deleted lines are gone; they are none that have been scrolled away.
          if (inside) this.without(() => this.scroll(n, this.y));
          this.x = 0;
          this.wraps = false;
          break;
        case '@': this.insert(n); this.wraps = false; break;
        case 'P': this.remove(n); this.wraps = false; break;
        case 'X': this.erase(line, this.x, this.x + n); this.wraps = false; break;
        case 'S': this.scroll(n); break;
        case 'T': if (p.length === 1) this.scroll(-n); break;
        case 'b':
          if (this.last) {
            for (let k = Math.min(n, this.columns * this.rows); k > 0; k--) this.print(this.last, this.last.codePointAt(0));
          }
          break;
        case 'c': if (!p[0]) this.answer('\x1b[?1;2c'); break;
        case 'd': this.move(this.x, base + n - 1); break;
        case 'g': if (p[0] === 3) this.tabs = new Set(); else if (!p[0]) this.allTabs().delete(this.x); break;
        case 'h': case 'l':
          for (const each of p) {
            if (each === 4) this.mode.insert = final === 'h';
            if (each === 20) this.mode.newline = final === 'h';
          }
          break;
        case 'm': this.style(); break;
        case 'n':
          if (p[0] === 5) this.answer('\x1b[0n');
          if (p[0] === 6) this.answer(`\x1b[${this.y + 1 - base};${this.x + 1}R`);
          break;
        case 'r': {
          const bottom = Math.min(p[1] || this.rows, this.rows);
          if (n < bottom) {
            this.top = n - 1;
            this.bottom = bottom - 1;
            this.move(0, this.mode.origin ? this.top : 0);
          }
          break;
        }
        case 's': this.save(); break;
        case 'u': this.restore(); break;
      }
    }

    without(action) {
      const keep = this.keep;
      this.keep = () => {};
      action();
      this.keep = keep;
    }

    eraseLine(how) {
      this.erase(this.lines[this.y], how ? 0 : this.x, how === 1 ? this.x + 1 : this.columns);
      this.wraps = false;
    }

    eraseDisplay(how) {
      if (how === 3) {
        this.dropped += this.history.length;
        this.history = [];
        return;
      }
      if (how > 3) return;
      for (let y = how ? 0 : this.y; y < (how === 1 ? this.y + 1 : this.rows); y++) {
        const here = y === this.y;
        this.erase(this.lines[y], here && !how ? this.x : 0, here && how === 1 ? this.x + 1 : this.columns);
      }
      this.wraps = false;
    }

    privateMode(number, isOn) {
      switch (number) {
        case 1: this.mode.applicationKeys = isOn; break;
        case 6: this.mode.origin = isOn; this.move(0, isOn ? this.top : 0); break;
        case 7: this.mode.wrap = isOn; this.wraps = false; break;
        case 25: this.mode.cursor = isOn; break;
        case 47: case 1047: this.swap(isOn, true); break;
        case 1048: isOn ? this.save() : this.restore(); break;
        case 1049:
          if (isOn) this.save();
          this.swap(isOn, true);
          if (!isOn) this.restore();
          break;
        case 2004: this.mode.paste = isOn; break;
      }
    }

    style() {
      const list = this.list;
      for (let i = 0; i < list.length; i++) {
        const each = list[i], p = each[0];
        if (p === 0) this.look = 0;
        else if (p === 4 && each.length > 1) this.look = each[1] ? this.look | UNDER : this.look & ~UNDER;
        else if (SET[p]) this.look |= SET[p];
        else if (p === 21) this.look |= UNDER;
        else if (CLEAR[p]) this.look &= ~CLEAR[p];
        else if (p >= 30 && p <= 37) this.colour(FG, p - 30);
        else if (p >= 40 && p <= 47) this.colour(BG, p - 40);
        else if (p >= 90 && p <= 97) this.colour(FG, p - 82);
        else if (p >= 100 && p <= 107) this.colour(BG, p - 92);
        else if (p === 39) this.look &= ~FG;
        else if (p === 49) this.look &= ~BG;
        else if (p === 38 || p === 48 || p === 58) {
          let rest = each.slice(1);
          if (!rest.length) {
            const more = list[i + 1] && list[i + 1][0] === 2 ? 4 : 2;
            rest = list.slice(i + 1, i + 1 + more).map(x => x[0]);
            i += more;
          }
          const value = rest[0] === 5 ? rest[1] : rest[0] === 2 && rest.length > 3 ? nearest(...rest.slice(-3)) : -1;
          if (p !== 58 && value >= 0 && value < 256) this.colour(p === 38 ? FG : BG, value);
        }
      }
    }

    colour(where, value) {
      this.look = where === FG ? this.look & ~FG | value + 1 : this.look & ~BG | value + 1 << 9;
    }

    resize(columns, rows) {
      this.columns = columns;
      for (const lines of [this.main, this.alternate]) {
        if (!lines) continue;
        const isShown = lines === this.lines;
        while (lines.length > rows) {
          const last = isShown ? this.y : lines.length - 1;
          if (last < lines.length - 1) lines.pop();
          else {
            const gone = lines.shift();
            if (lines === this.main) this.keep(gone);
            if (isShown) this.y--;
          }
        }
        const look = this.look;
        this.look = 0;
        for (const line of lines) this.cut(line);
        while (lines.length < rows) lines.push(this.line());
        this.look = look;
      }
      this.rows = rows;
      this.top = 0;
      this.bottom = rows - 1;
      this.x = Math.min(this.x, columns - 1);
      this.y = Math.max(0, Math.min(this.y, rows - 1));
      this.wraps = false;
    }

    // A line as pieces of one look; blanks without a look at its end are left out.
    static pieces(line, cursor) {
      let end = line.text.length;
      while (end > 0 && line.text[end - 1] === ' ' && !(line.look[end - 1] & (BG | UNDER | INVERSE))) end--;
      if (cursor !== undefined) end = Math.max(end, cursor + 1);
      const pieces = [];
      let piece = null;
      for (let x = 0; x < end; x++) {
        const text = line.text[x];
        if (text === '') continue;
        const look = line.look[x], wide = line.text[x + 1] === '', here = x === cursor;
        if (piece && piece.look === look && !piece.wide && !wide && !piece.cursor && !here) piece.text += text;
        else pieces.push(piece = {text, look, wide, cursor: here});
      }
      return pieces;
    }

    // The screen as text, a line each.
    toString() { return this.lines.map(line => line.text.join('').trimEnd()).join('\n'); }
  }

  // Class names of a look.
  function names(look) {
    let fg = look & FG, bg = (look & BG) >> 9, list = [];
    if (look & INVERSE) {
      [fg, bg] = [bg, fg];
      if (!fg) list.push('tfi');
      if (!bg) list.push('tbi');
    }
    if (fg && fg <= 16) list.push('f' + (fg - 1));
    if (bg && bg <= 16) list.push('b' + (bg - 1));
    for (const [flag, name] of FLAGS) if (look & flag) list.push(name);
    return [list.join(' '), fg > 16 ? fg - 1 : 0, bg > 16 ? bg - 1 : 0];
  }

  function rgb(index) {
    if (index >= 232) return Array(3).fill(8 + (index - 232) * 10);
    const n = index - 16;
    return [Math.floor(n / 36), Math.floor(n / 6) % 6, n % 6].map(v => v ? 55 + v * 40 : 0);
  }

  self.RondoScreen = Screen;
  self.RondoLook = {names, rgb};
})();
