// The view of a terminal: draws a screen as rows of text, sends keys in numbered, ordered requests, and follows the
// command's output as one stream that is read no faster than it is drawn.
(() => {
  'use strict';
  const PIECE = 4096, QUEUE = 256 << 10, FRAME = 128 << 10, ALIVE = 25000;
  const KEYS = {
    Enter: '\r', Backspace: '\x7f', Tab: '\t', Escape: '\x1b', F1: '\x1bOP', F2: '\x1bOQ', F3: '\x1bOR', F4: '\x1bOS',
  };
  const TILDE = {
    Insert: 2, Delete: 3, PageUp: 5, PageDown: 6, F5: 15, F6: 17, F7: 18, F8: 19, F9: 20, F10: 21, F11: 23, F12: 24,
  };
  const LETTER = {ArrowUp: 'A', ArrowDown: 'B', ArrowRight: 'C', ArrowLeft: 'D', Home: 'H', End: 'F'};

  // What a key sends; nothing for those that come as text.
  function bytes(event, mode) {
    const {key} = event, change = 1 + event.shiftKey + 2 * event.altKey + 4 * event.ctrlKey;
    if (LETTER[key]) {
      if (change > 1) return `\x1b[1;${change}${LETTER[key]}`;
      return (mode.applicationKeys ? '\x1bO' : '\x1b[') + LETTER[key];
    }
    if (TILDE[key]) return change > 1 ? `\x1b[${TILDE[key]};${change}~` : `\x1b[${TILDE[key]}~`;
    if (key === 'Tab' && event.shiftKey) return '\x1b[Z';
    if (KEYS[key]) return (event.altKey ? '\x1b' : '') + (key === 'Backspace' && event.ctrlKey ? '\b' : KEYS[key]);
    if (key.length !== 1 || event.metaKey || event.getModifierState('AltGraph')) return '';
    if (event.ctrlKey) {
      const code = key === ' ' ? 0 : key === '?' ? 0x7f : key === '/' ? 0x1f : key.toUpperCase().charCodeAt(0) & 0x1f;
      return /[ ?/a-z@[\\\]^_]/i.test(key) ? (event.altKey ? '\x1b' : '') + String.fromCharCode(code) : '';
    }
    return event.altKey ? '\x1b' + key : '';
  }

  // What a paste sends: no escape sequence gets in, and so none that ends the bracket.
  function pasted(text, mode) {
    const clean = text.replace(/\r?\n/g, '\r').replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, '');
    return mode.paste ? `\x1b[200~${clean}\x1b[201~` : clean;
  }

  // What a refusal says; it comes as a page.
  async function reason(answer) {
    const text = await answer.text();
    const page = new DOMParser().parseFromString(text, 'text/html');
    return ((page.querySelector('.message.bad span') || page.body).textContent || '').trim().slice(0, 500);
  }

  class View {
    constructor(root) {
      this.root = root;
      this.form = root.querySelector('form');
      this.box = root.querySelector('.screen');
      this.status = root.querySelector('[role=status]');
      this.heard = root.querySelector('.heard');
      this.end = root.querySelector('[data-end]');
      this.keys = document.createElement('textarea');
      Object.assign(this.keys, {className: 'keys', spellcheck: false, autocapitalize: 'off', rows: 1});
      this.keys.setAttribute('autocomplete', 'off');
      this.keys.setAttribute('aria-label', 'Terminal input');
      this.keys.setAttribute('aria-describedby', 'terminal-hint');
      this.rows = document.createElement('div');
      this.rows.className = 'rows';
      this.box.append(this.rows, this.keys);
      this.nodes = new WeakMap();
      this.form.addEventListener('submit', event => {
        event.preventDefault();
        this.start();
      });
      this.end.addEventListener('click', () => this.close());
      this.listen();
      this.say('');
    }

    say(text) { this.status.textContent = text; }

    measure() {
      const probe = document.createElement('div');
      probe.textContent = 'W'.repeat(50);
      probe.className = 'probe';
      this.rows.append(probe);
      const {width, height} = probe.getBoundingClientRect();
      probe.remove();
      const style = getComputedStyle(this.box);
      const wide = this.box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      const high = this.box.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
      const clamp = (v, low, top) => Math.max(low, Math.min(top, Math.floor(v) || low));
      return [clamp(wide / (width / 50), 20, 400), clamp(high / height, 5, 150)];
    }

    body(fields) {
      return new URLSearchParams({'form-token': this.form.elements['form-token'].value, ...fields});
    }

    async call(path, fields) {
      const answer = await fetch(path, {
        method: 'POST', body: this.body(fields), credentials: 'same-origin', cache: 'no-store',
      });
      if (!answer.ok) throw Object.assign(new Error(await reason(answer)), {refused: true});
      return answer;
    }

    async start() {
      if (this.session) return;
      const run = this.run = {over: false};
      this.box.hidden = false;
      this.rows.replaceChildren();
      this.shown = this.dropped = 0;
      const [columns, rows] = this.measure();
      this.screen = new RondoScreen(columns, rows, text => this.send(text));
      this.waiting = [];
      this.number = 0;
      this.say('Starting …');
      try {
        const command = this.form.elements.command.value;
        this.session = (await (await this.call(this.root.dataset.terminal, {command, columns, rows})).json()).session;
      } catch (error) {
        this.box.hidden = true;
        return this.say('It could not be started: ' + error.message);
      }
      this.form.hidden = true;
      this.end.hidden = false;
      this.say('Running. Shift+F6 leaves the terminal for the rest of the page.');
      this.keys.focus();
      this.beat = setInterval(() => this.send(''), ALIVE);
      this.follow(run);
    }

    get path() { return this.root.dataset.terminal + '/' + this.session; }

    // Reads what the command writes. A broken connection is taken up where it broke off.
    async follow(run) {
      let seen = 0, failures = 0;
      while (!run.over) {
        try {
          const answer = await fetch(`${this.path}/output?from=${seen}`, {credentials: 'same-origin', cache: 'no-store'});
          if (!answer.ok) break;
          const reader = answer.body.getReader();
          run.reader = reader;
          for (let drawn = 0; ;) {
            const {done, value} = await reader.read();
            if (done) break;
            failures = 0;
            seen += value.length;
            this.screen.write(value);
            this.draw();
            drawn += value.length;
            if (drawn > FRAME) {
              await this.frame();
              drawn = 0;
            }
          }
          break;
        } catch (error) {
          if (run.over || ++failures > 5) break;
          this.say('The connection broke; trying again …');
          await new Promise(done => setTimeout(done, 500 * failures));
        }
      }
      let text = 'The terminal is closed.';
      try { if (!run.over) text = (await (await fetch(this.path, {credentials: 'same-origin'})).json()).message; } catch {}
      this.finish(text);
    }

    frame() {
      return new Promise(done => document.hidden ? setTimeout(done, 30) : requestAnimationFrame(() => done()));
    }

    finish(text) {
      clearInterval(this.beat);
      if (!this.session) return;
      this.session = null;
      this.waiting = [];
      this.form.hidden = false;
      this.end.hidden = true;
      this.say(text);
      this.draw();
      if (document.activeElement === this.keys) this.form.elements.command.focus();
    }

    close() {
      const path = this.path;
      if (!this.session) return;
      this.run.over = true;
      this.call(path + '/close', {}).catch(() => {});
      if (this.run.reader) this.run.reader.cancel().catch(() => {});
      this.finish('Ended: the command was killed.');
    }

    // One request at a time keeps the order; its number lets it be sent again.
    send(text) {
      if (!this.session) return;
      const last = this.waiting[this.waiting.length - 1];
      if (this.waiting.reduce((sum, each) => sum + each.length, 0) > QUEUE) return this.say('Too much input waits.');
      if (typeof last === 'string' && this.waiting.length > 1 && last.length + text.length <= PIECE) {
        this.waiting[this.waiting.length - 1] += text;
      } else {
        let rest = [...text];
        do this.waiting.push(rest.splice(0, PIECE).join('')); while (rest.length);
      }
      if (!this.sending) this.flush(this.session);
    }

    async flush(session) {
      this.sending = true;
      let failures = 0;
      while (this.waiting.length && this.session === session) {
        const next = this.waiting[0];
        try {
          await this.call(this.path + '/input', {
            number: this.number, ...(typeof next === 'string' ? {text: next} : {columns: next.columns, rows: next.rows}),
          });
          this.number++;
          this.waiting.shift();
          failures = 0;
        } catch (error) {
          if (error.refused) {
            if (this.session === session) this.say('Input was refused: ' + error.message);
            this.waiting = [];
            break;
          }
          if (++failures > 5) break;
          await new Promise(done => setTimeout(done, 300 * failures));
        }
      }
      this.sending = false;
    }

    listen() {
      const {keys, box} = this;
      keys.addEventListener('keydown', event => this.press(event));
      keys.addEventListener('input', event => {
        if (event.isComposing) return;
        if (keys.value) this.send(keys.value.replace(/\n/g, '\r'));
        keys.value = '';
      });
      keys.addEventListener('compositionend', () => {
        this.send(keys.value);
        keys.value = '';
      });
      box.addEventListener('paste', event => {
        event.preventDefault();
        if (this.screen) this.send(pasted(event.clipboardData.getData('text/plain'), this.screen.mode));
      });
      // Selected text stays selected, for copying, until a key is pressed.
      box.addEventListener('mouseup', () => { if (getSelection().isCollapsed) keys.focus({preventScroll: true}); });
      document.addEventListener('keydown', event => {
        const here = getSelection().anchorNode;
        if (!this.session || document.activeElement !== document.body || !here || !box.contains(here)) return;
        if (event.ctrlKey || event.metaKey || event.key === 'Shift') return;
        keys.focus({preventScroll: true});
        this.press(event);
      });
      keys.addEventListener('focus', () => this.draw());
      keys.addEventListener('blur', () => this.draw());
      let timer;
      new ResizeObserver(() => {
        clearTimeout(timer);
        timer = setTimeout(() => this.fit(), 150);
      }).observe(box);
      addEventListener('pagehide', () => {
        if (!this.session) return;
        navigator.sendBeacon(this.path + '/close', this.body({}));
      });
    }

    fit() {
      if (!this.session) return;
      const [columns, rows] = this.measure();
      if (columns === this.screen.columns && rows === this.screen.rows) return;
      this.screen.resize(columns, rows);
      this.waiting.push({columns, rows, length: 1});
      if (!this.sending) this.flush(this.session);
      this.draw();
    }

    press(event) {
      if (event.isComposing || !this.screen) return;
      if (event.shiftKey && event.key === 'F6') {
        event.preventDefault();
        (this.end.hidden ? this.form.elements.command : this.end).focus();
        return;
      }
      if (event.shiftKey && (event.key === 'PageUp' || event.key === 'PageDown')) {
        event.preventDefault();
        this.box.scrollBy(0, (event.key === 'PageUp' ? -0.9 : 0.9) * this.box.clientHeight);
        return;
      }
      // Ctrl+Shift+C and V are the browser's, for copying and pasting.
      if (event.ctrlKey && event.shiftKey && /^[cv]$/i.test(event.key)) return;
      const text = bytes(event, this.screen.mode);
      if (!text) return;
      event.preventDefault();
      this.box.scrollTop = this.box.scrollHeight;
      this.send(text);
    }

    draw() {
      if (this.drawing || !this.screen) return;
      this.drawing = true;
      this.frame().then(() => {
        this.drawing = false;
        this.render();
      });
    }

    render() {
      const {screen, rows, box} = this;
      const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
      const isAlternate = !!screen.alternate;
      if (isAlternate !== this.wasAlternate) {
        rows.replaceChildren();
        this.shown = 0;
        this.dropped = screen.dropped;
        this.wasAlternate = isAlternate;
      }
      const history = isAlternate ? [] : screen.history;
      for (; this.dropped < screen.dropped; this.dropped++) {
        if (this.shown > 0) {
          rows.firstChild.remove();
          this.shown--;
        }
      }
      let node = rows.children[this.shown] || null;
      const place = line => {
        const wanted = this.node(line);
        if (wanted === node) node = node.nextSibling;
        else rows.insertBefore(wanted, node);
        return wanted;
      };
      for (; this.shown < history.length; this.shown++) place(history[this.shown]);
      const cursor = this.session && screen.mode.cursor ? screen.lines[screen.y] : null;
      if (this.cursorLine) this.cursorLine.changed = true;
      if (cursor) cursor.changed = true;
      this.cursorLine = cursor;
      for (const line of screen.lines) place(line);
      while (node) {
        const next = node.nextSibling;
        node.remove();
        node = next;
      }
      for (const line of history.slice(-screen.rows).concat(screen.lines)) {
        if (line.changed) this.paint(line, line === cursor ? screen.x : undefined);
      }
      if (atEnd) box.scrollTop = box.scrollHeight;
      this.tell();
    }

    node(line) {
      let node = this.nodes.get(line);
      if (!node) {
        node = document.createElement('div');
        this.nodes.set(line, node);
        this.paint(line);
      }
      return node;
    }

    paint(line, cursor) {
      line.changed = false;
      const parts = RondoScreen.pieces(line, cursor).map(piece => {
        const [name, fg, bg] = RondoLook.names(piece.look);
        if (!name && !fg && !bg && !piece.wide && !piece.cursor) return document.createTextNode(piece.text);
        const span = document.createElement('span');
        span.textContent = piece.text;
        span.className = name + (piece.wide ? ' wide' : '')
          + (piece.cursor ? document.activeElement === this.keys ? ' cursor' : ' cursor away' : '');
        if (fg) span.style.color = `rgb(${RondoLook.rgb(fg)})`;
        if (bg) span.style.backgroundColor = `rgb(${RondoLook.rgb(bg)})`;
        return span;
      });
      if (!parts.length) parts.push(document.createTextNode('\u200b'));
      this.nodes.get(line).replaceChildren(...parts);
    }

    // Finished lines for who hears the screen: a few at a time, the newest.
    tell() {
      const {said} = this.screen;
      if (!said.length || this.telling) return;
      this.telling = setTimeout(() => {
        this.telling = null;
        const more = said.length > 4 ? ['… '] : [];
        this.heard.textContent = more.concat(said.slice(-4)).join('\n').slice(0, 600);
        said.length = 0;
      }, 1000);
    }
  }

  self.RondoKeys = {bytes, pasted};
  for (const root of document.querySelectorAll('[data-terminal]')) {
    new View(root);
  }
})();
