// A native process under test: started with its output captured, waited for by what it prints, ended by its id.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Processes that live. Whatever way this one ends, they end with it. */
const living = new Set();

process.on('exit', () => living.forEach((child) => child.signal('SIGKILL')));
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) {
  process.on(signal, () => process.exit(code));
}

export class NativeProcess {
  /** All lines of standard output and standard error, as they came. */
  lines = [];
  /** What became of it, once it has ended: `{ code, signal }`. */
  exit = undefined;
  /** Resolves to `exit`. */
  ended;

  #child;
  #waiting = new Set();

  /** `input`: whether it is to be written to. */
  constructor(name, command, args, { input = false, ...options } = {}) {
    this.name = name;
    // A group of its own, so that its children can be ended with it.
    this.#child = spawn(command, args, { ...options, detached: true, stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
    living.add(this);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#take(line));
    }
    // A process that ends before it has read everything is no fault of ours; its exit tells.
    this.#child.stdin?.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => this.#take(`could not be started: ${error.message}`));
      // Comes after the output is read to its end, and after 'error' too.
      this.#child.on('close', (code, signal) => resolve(this.#finish({ code, signal })));
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /**
   * The match of the first line that fits, whether printed already or to come. Fails at once when the process ends
   * without it.
   */
  waitFor(pattern, { timeoutMs = 20_000 } = {}) {
    for (const line of this.lines) {
      const match = pattern.exec(line);
      if (match) return Promise.resolve(match);
    }
    if (this.exit) return Promise.reject(this.#complaint(`ended without printing ${pattern}`));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(reject, this.#complaint(`did not print ${pattern} in ${timeoutMs} ms`)), timeoutMs);
      const waiter = {
        take: (line) => {
          const match = pattern.exec(line);
          if (match) settle(resolve, match);
        },
        end: () => settle(reject, this.#complaint(`ended without printing ${pattern}`)),
      };
      const settle = (how, value) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        how(value);
      };
      this.#waiting.add(waiter);
    });
  }

  /** Hears every line to come. */
  onLine(listener) {
    this.#waiting.add({ take: listener, end: () => {} });
  }

  /** Writes to its standard input; what it no longer reads is lost. */
  write(text) {
    if (!this.exit) this.#child.stdin.write(text, () => {});
  }

  /** Ends it as Ctrl-C does, by force when that takes too long; returns `{ code, signal }`. */
  async stop({ signal = 'SIGINT', timeoutMs = 5_000 } = {}) {
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    this.signal(signal);
    const exit = await this.ended;
    clearTimeout(timer);
    return exit;
  }

  /** Sends a signal to the process and its children; one that has ended needs none. */
  signal(signal) {
    if (this.exit || !this.pid) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }

  #take(line) {
    this.lines.push(line);
    for (const waiter of [...this.#waiting]) waiter.take(line);
  }

  #finish(exit) {
    this.exit = exit;
    living.delete(this);
    for (const waiter of [...this.#waiting]) waiter.end();
    return exit;
  }

  #complaint(what) {
    const how = this.exit ? ` (code ${this.exit.code}, signal ${this.exit.signal})` : '';
    return new Error(`${this.name} ${what}${how}; its last lines:\n${this.lines.slice(-20).join('\n')}`);
  }
}
