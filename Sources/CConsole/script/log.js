// A task's log, live: one stream that is read no faster than it can be shown, and a page that holds a bounded part of it.
(() => {
  'use strict';
  const LINES = 3000, WIDTH = 4096, TAIL = 64 << 10, BUDGET = 96 << 10, WINDOW = 300, PATIENCE = 6, FAST = 600;

  // Text with SGR sequences as lines of pieces; every other sequence is left out, and control characters are drawn.
  class Reader {
    constructor() {
      this.decoder = new TextDecoder();
      this.look = {};
      this.rest = '';
      this.begin();
    }

    begin() {
      this.pieces = [];
      this.length = 0;
      this.cut = 0;
    }

    // The lines that bytes end; what follows them waits in pieces.
    read(bytes) {
      const lines = [], text = this.rest + this.decoder.decode(bytes, {stream: true});
      this.rest = '';
      let at = 0;
      const special = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
      for (let found; (found = special.exec(text)); at = special.lastIndex) {
        this.add(text.slice(at, found.index));
        const one = found[0];
        if (one === '\n') {
          lines.push(this.pieces);
          if (this.cut) this.pieces.push([` … ${this.cut} more characters`, 'cut']);
          this.begin();
        } else if (one === '\r') {
          if (found.index + 1 === text.length) {
            this.rest = '\r';
            return lines;
          }
          // What overwrites a line, as a progress bar does.
          if (text[found.index + 1] !== '\n') this.begin();
        } else if (one === '\x1b') {
          const part = text.slice(found.index, found.index + 256);
          const whole = /^\x1b(?:\[[0-?]*[ -/]*([@-~])|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-OQ-WYZ\\`-~])/.exec(part);
          if (whole) {
            if (whole[1] === 'm') this.style(whole[0].slice(2, -1));
            special.lastIndex = found.index + whole[0].length;
          } else if (part.length < 256 && found.index + part.length === text.length) {
            this.rest = part;
            return lines;
          }
        } else this.add(one < ' ' ? String.fromCharCode(0x2400 + one.charCodeAt(0)) : '\ufffd');
      }
      this.add(text.slice(at));
      return lines;
    }

    add(text) {
      if (!text) return;
      const room = WIDTH - this.length;
      if (text.length > room) {
        this.cut += text.length - Math.max(0, room);
        text = text.slice(0, Math.max(0, room));
      }
      if (!text) return;
      this.length += text.length;
      const name = this.name(), last = this.pieces[this.pieces.length - 1];
      if (last && last[1] === name) last[0] += text;
      else if (this.pieces.length < 200) this.pieces.push([text, name]);
      else last[0] += text;
    }

    name() {
      let {fg, bg} = this.look;
      const {flags} = this.look, names = [];
      if (flags && flags.has('iv')) [fg, bg] = [bg, fg === undefined ? 'i' : fg];
      if (fg !== undefined) names.push('f' + fg);
      if (bg !== undefined) names.push('b' + bg);
      if (flags) for (const flag of flags) if (flag !== 'iv') names.push(flag);
      return names.join(' ');
    }

    style(text) {
      const list = text.split(/[;:]/, 32).map(Number), look = this.look;
      const flags = look.flags || new Set();
      for (let i = 0; i < list.length; i++) {
        const p = list[i];
        if (!p) {
          look.fg = look.bg = undefined;
          flags.clear();
        } else if ({1: 1, 2: 1, 3: 1, 4: 1, 7: 1, 9: 1}[p]) flags.add({1: 'tb', 2: 'td', 3: 'ti', 4: 'tu', 7: 'iv', 9: 'ts'}[p]);
        else if (p === 22) flags.delete('tb') | flags.delete('td');
        else if ({23: 1, 24: 1, 27: 1, 29: 1}[p]) flags.delete({23: 'ti', 24: 'tu', 27: 'iv', 29: 'ts'}[p]);
        else if (p >= 30 && p < 38) look.fg = p - 30;
        else if (p >= 40 && p < 48) look.bg = p - 40;
        else if (p >= 90 && p < 98) look.fg = p - 82;
        else if (p >= 100 && p < 108) look.bg = p - 92;
        else if (p === 39) look.fg = undefined;
        else if (p === 49) look.bg = undefined;
        else if (p === 38 || p === 48) {
          const value = Reader.sixteen(list.slice(i + 1, i + 5));
          i += list[i + 1] === 2 ? 4 : 2;
          if (value >= 0) look[p === 38 ? 'fg' : 'bg'] = value;
        }
      }
      look.flags = flags;
    }

    // The nearest of the sixteen colours, which can be read on every background.
    static sixteen([kind, a, b, c]) {
      let rgb = [a, b, c];
      if (kind === 5) {
        if (a < 16) return a;
        if (a > 231) rgb = [a, a, a].map(v => 8 + (v - 232) * 10);
        else rgb = [Math.floor((a - 16) / 36), Math.floor((a - 16) / 6) % 6, (a - 16) % 6].map(v => v * 51);
      } else if (kind !== 2) return -1;
      if (rgb.some(v => !(v >= 0 && v < 256))) return -1;
      const high = Math.max(...rgb), low = Math.min(...rgb);
      if (high - low < 40) return high < 64 ? 0 : high < 144 ? 8 : high < 208 ? 7 : 15;
      const bits = rgb.reduce((sum, v, n) => sum | (v > (high + low) / 2) << n, 0);
      return bits + (high > 200 ? 8 : 0);
    }
  }

  class Log {
    constructor(root) {
      this.root = root;
      this.box = root.querySelector('.log');
      this.status = root.querySelector('[role=status]');
      this.part = name => root.querySelector(`[data-log-${name}]`);
      this.source = root.dataset.log;
      this.file = root.dataset.file;
      this.part('tools').hidden = false;
      this.part('plain')?.remove();
      this.box.addEventListener('scroll', () => this.scrolled());
      this.part('follow').addEventListener('click', () => this.latest());
      this.part('older').addEventListener('click', () => this.older());
      this.part('wrap').addEventListener('change', event => this.box.classList.toggle('wrap', event.target.checked));
      const find = this.part('find');
      find.addEventListener('input', () => this.find(0));
      find.addEventListener('keydown', event => {
        if (event.key === 'Enter') {
          event.preventDefault();
          this.find(event.shiftKey ? -1 : 1);
        }
      });
      this.part('next').addEventListener('click', () => this.find(1));
      this.part('previous').addEventListener('click', () => this.find(-1));
      document.addEventListener('visibilitychange', () => { if (!document.hidden) this.wake(); });
      this.latest();
    }

    say(text) { this.status.textContent = text; }
    url(kind, more) { return `${this.source}/${kind}?path=${encodeURIComponent(this.file)}${more}`; }

    async size() {
      const answer = await fetch(this.url('files/read', '&offset=-1'), {credentials: 'same-origin', cache: 'no-store'});
      if (!answer.ok) throw new Error((await answer.text()).slice(0, 300));
      return (await answer.json()).offset;
    }

    // Shows the end and follows it.
    async latest() {
      const turn = this.turn = {};
      if (this.reader) this.reader.cancel().catch(() => {});
      this.paused = false;
      this.part('follow').hidden = true;
      let failures = 0, skipped = 0;
      while (this.turn === turn) {
        try {
          const end = await this.size(), start = Math.max(0, end - TAIL);
          if (this.turn !== turn) return;
          if (!skipped || start < skipped) {
            this.box.replaceChildren();
            this.first = start;
          } else this.box.append(this.mark(`${start - skipped} bytes were left out: the task writes faster than this page shows`));
          skipped = await this.follow(start, turn, start > 0);
          failures = 0;
          if (skipped === null) return;
        } catch (error) {
          if (this.turn !== turn) return;
          this.say(`The log cannot be read: ${error.message}`);
          skipped = 0;
          if (++failures > 20) return;
          await new Promise(done => setTimeout(done, Math.min(10000, 1000 * failures)));
        }
      }
    }

    // Follows from a position; gives null at the end, or the position after which it fell behind.
    async follow(start, turn, isTorn) {
      const answer = await fetch(
        this.url('rondo/v1/logs', `&offset=${start}&follow=true`), {credentials: 'same-origin', cache: 'no-store'});
      if (!answer.ok) throw new Error((await answer.text()).slice(0, 300));
      const stream = this.reader = answer.body.getReader(), text = new Reader();
      this.say('Following the log.');
      let place = start, spent = 0, since = performance.now(), full = 0, torn = isTorn;
      this.tail = null;
      while (this.turn === turn) {
        const {done, value} = await stream.read();
        if (this.turn !== turn) break;
        if (done) {
          this.say('The task has ended; this is all of its log.');
          return null;
        }
        place += value.length;
        spent += value.length;
        let part = value;
        if (torn) {
          const feed = value.indexOf(10);
          torn = feed < 0 && place - start < 8192;
          this.first = place - value.length + (feed < 0 ? 0 : feed + 1);
          part = feed < 0 ? (torn ? value.subarray(value.length) : value) : value.subarray(feed + 1);
        }
        this.show(text.read(part), text.pieces, full ? FAST : LINES);
        if (spent >= BUDGET) {
          const left = WINDOW - (performance.now() - since);
          full = left > 0 ? full + 1 : 0;
          if (left > 0) await new Promise(next => setTimeout(next, left));
          spent = 0;
          since = performance.now();
          if (full > PATIENCE) {
            stream.cancel().catch(() => {});
            return place;
          }
        } else if (performance.now() - since > 2 * WINDOW) {
          spent = full = 0;
          since = performance.now();
        }
        // Who has scrolled up reads, and the page stays as it is; the sender waits.
        while ((this.paused || document.hidden) && this.turn === turn) await new Promise(next => this.resume = next);
      }
      stream.cancel().catch(() => {});
      return null;
    }

    wake() {
      const resume = this.resume;
      this.resume = null;
      if (resume) resume();
    }

    show(lines, rest, limit) {
      const all = document.createDocumentFragment();
      if (lines.length) {
        this.tail?.remove();
        this.tail = null;
      }
      // More than anybody could read at once.
      if (lines.length > limit) all.append(this.mark(`${lines.length - limit} lines were left out`));
      for (const line of lines.slice(-limit)) all.append(this.line(line));
      if (this.tail) this.tail.replaceChildren(...this.parts(rest));
      else if (rest.length) all.append(this.tail = this.line(rest));
      this.box.append(all);
      let over = this.box.childElementCount - LINES;
      if (over > 0) this.first = null;
      for (; over > 0; over--) this.box.firstElementChild.remove();
      this.part('older').disabled = !this.first;
      if (!this.paused) this.box.scrollTop = this.box.scrollHeight;
    }

    parts(pieces) {
      return pieces.map(([text, name]) => {
        if (!name) return document.createTextNode(text);
        const span = document.createElement('span');
        span.className = name;
        span.textContent = text;
        return span;
      });
    }

    line(pieces) {
      const line = document.createElement('div');
      line.append(...this.parts(pieces), '\n');
      return line;
    }

    mark(text) {
      const line = this.line([['— ' + text + ' —', '']]);
      line.className = 'gap';
      return line;
    }

    scrolled() {
      const {box} = this, isDown = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
      if (isDown === !this.paused) return;
      this.paused = !isDown;
      this.part('follow').hidden = isDown;
      this.say(isDown ? 'Following the log.' : 'Paused, because you have scrolled up.');
      if (isDown) this.wake();
    }

    // What comes before the first line that is shown. The end gives way when the page is full.
    async older() {
      const end = this.first;
      if (!end) return;
      this.paused = true;
      this.part('follow').hidden = false;
      const start = Math.max(0, end - TAIL);
      try {
        const answer = await fetch(this.url('rondo/v1/logs', `&offset=${start}`), {credentials: 'same-origin', cache: 'no-store'});
        if (!answer.ok) throw new Error((await answer.text()).slice(0, 300));
        const stream = answer.body.getReader();
        let bytes = new Uint8Array(end - start), length = 0;
        while (length < bytes.length) {
          const {done, value} = await stream.read();
          if (done) break;
          const part = value.subarray(0, bytes.length - length);
          bytes.set(part, length);
          length += part.length;
        }
        stream.cancel().catch(() => {});
        const feed = start > 0 ? bytes.indexOf(10) + 1 : 0, text = new Reader();
        const lines = text.read(bytes.subarray(feed, length));
        if (text.pieces.length) lines.push(text.pieces);
        const before = this.box.scrollHeight, top = this.box.scrollTop;
        this.box.prepend(...lines.map(line => this.line(line)));
        this.first = start + feed;
        if (start === 0) this.first = 0;
        this.part('older').disabled = !this.first;
        if (this.box.childElementCount > LINES) {
          // Then it is no more the end that is shown at the bottom.
          this.turn = {};
          this.wake();
          while (this.box.childElementCount > LINES) this.box.lastElementChild.remove();
        }
        this.box.scrollTop = top + this.box.scrollHeight - before;
        this.say('Paused, because you look at older lines.');
      } catch (error) {
        this.say(`Older lines cannot be read: ${error.message}`);
      }
    }

    find(step) {
      const needle = this.part('find').value.toLowerCase();
      for (const old of this.box.querySelectorAll('.hit')) old.classList.remove('hit', 'here');
      const hits = needle
        ? [...this.box.children].filter(line => line.textContent.toLowerCase().includes(needle)) : [];
      for (const hit of hits) hit.classList.add('hit');
      const count = this.part('count');
      if (!hits.length) {
        count.textContent = needle ? 'not in the lines shown' : '';
        return;
      }
      let at = hits.indexOf(this.hit);
      at = at < 0 ? hits.length - 1 : (at + step + hits.length) % hits.length;
      this.hit = hits[at];
      this.hit.classList.add('here');
      this.hit.scrollIntoView({block: 'center'});
      count.textContent = `${at + 1} of ${hits.length} lines`;
    }
  }

  self.RondoLogReader = Reader;
  for (const root of document.querySelectorAll('[data-log]')) new Log(root);
})();
