// A made-up host: a tree of processes that lives on, from a fixed seed. Used by the fake server and the page bench.

/** @typedef {{ slot: number, pid: number, start_time: number, parent_pid: number | null, name: string, command_line: string, user: string, executable: string, cgroup: string | null,
 *   cpu: number, memory: number, virtual_memory: number, threads: number, state: string, read_bytes: number, write_bytes: number, memory_percent: number }} Process */

export const HOSTILE = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "'; DROP TABLE processes; --", '=cmd|\'/C calc\'!A0', '\u202Eevil\u202C.exe', 'tab\there', 'nul\u0000byte', '\u001b[31mred\u001b[0m',
  'zero\u200bwidth', '${7*7}{{7*7}}', 'a'.repeat(3000), 'Z\u0353\u033b\u0347\u0342\u0310a\u0334\u0317l\u0327\u0323go', '\ud83d\ude08\ud83d\ude08', 'line\nbreak\r\nmore', 'javascript:alert(1)', '\u2066isolate\u2069'];

export class World {
  /** @param {{ hostname: string, count: number, seed?: number, depth?: number, intervalMs?: number, hostile?: boolean }} options */
  constructor({ hostname, count, seed = 42, depth = 6, intervalMs = 1000, hostile = true }) {
    this.hostname = hostname;
    this.seed = seed;
    this.intervalMs = intervalMs;
    this.bootMs = Date.now() - 41 * 86_400_000;
    this.sequence = 0;
    this.nextPid = 2;
    /** @type {(Process | undefined)[]} */
    this.slots = [];
    /** @type {number[]} */
    this.free = [];
    this.begin(null, 'systemd', '/sbin/init', 'root', this.bootMs);
    const names = ['postgres', 'nginx', 'gunicorn', 'sh', 'python3', 'sshd', 'containerd', 'cron', 'java', 'node', 'redis-server', 'systemd-journald'];
    const users = ['root', 'postgres', 'www-data', 'shop', 'messagebus'];
    /** @type {number[]} */
    const levels = [1];
    for (let i = 1; i < count; i++) {
      const parent = i < depth ? (this.slots[i - 1]?.pid ?? 1) : this.slots[Math.floor(this.random() ** 2 * Math.min(i, 120))]?.pid ?? 1;
      levels.push(parent);
      const strange = hostile && i >= 20 && i < 20 + HOSTILE.length ? HOSTILE[i - 20] : undefined;
      const name = strange ?? names[Math.floor(this.random() * names.length)] ?? 'sh';
      this.begin(parent, name, strange ?? `/usr/bin/${name} --config /etc/${name}.conf -D /var/lib/${name}/${i}`, users[Math.floor(this.random() * users.length)] ?? 'root', this.bootMs + Math.floor(this.random() * 40 * 86_400_000));
    }
    for (const process of this.slots) if (process) this.wander(process);
  }

  random() {
    this.seed = (this.seed * 16807) % 2147483647;
    return this.seed / 2147483647;
  }

  /** @param {number | null} parent @param {string} name @param {string} command @param {string} user @param {number} start @returns {Process} */
  begin(parent, name, command, user, start) {
    const slot = this.free.pop() ?? this.slots.length;
    const pid = parent === null ? 1 : this.nextPid++;
    const process = { slot, pid, start_time: start, parent_pid: parent, name, command_line: command, user, executable: command.split(' ')[0] ?? '', cgroup: `/system.slice/${name.slice(0, 20)}.service`,
      cpu: 0, memory: Math.floor(2e6 + this.random() ** 4 * 2e9), virtual_memory: Math.floor(1e8 + this.random() * 4e9), threads: 1 + Math.floor(this.random() ** 3 * 40), state: 'sleeping', read_bytes: 0, write_bytes: 0, memory_percent: 10 };
    this.slots[slot] = process;
    return process;
  }

  /** @param {Process} process */
  wander(process) {
    process.cpu = this.random() < 0.7 ? 0 : Math.floor(this.random() ** 6 * 9500);
    process.read_bytes = process.cpu > 500 ? Math.floor(this.random() * 2e7) : 0;
    process.write_bytes = process.cpu > 800 ? Math.floor(this.random() * 9e6) : 0;
    process.state = process.cpu > 0 ? 'running' : 'sleeping';
  }

  /** @param {number} ms @param {number} [cpu] */
  head(ms, cpu) {
    const sum = cpu ?? this.slots.reduce((total, process) => total + (process?.cpu ?? 0), 0);
    return { hostname: this.hostname, snapshot_id: ++this.sequence, timestamp: new Date(ms).toISOString(), time_ms: ms,
      host: { interval_ms: this.intervalMs, cpu: Math.min(160_000, Math.round(sum * 1.01 + 300)), cpu_iowait: 10, cpu_steal: 0, memory_used_bytes: 38_200_000_000, swap_used_bytes: 0, load: [1, 1, 1], forks: 12, agent_cpu_us: 300, agent_memory_bytes: 9e6 } };
  }

  facts() {
    return { cpu_count: 16, memory_total: 64e9, boot_time: this.bootMs, os: 'Debian 12', architecture: 'x86_64', agent_version: '0.1.0', collector: 'proc' };
  }

  /** @param {Process[]} list */
  columns(list, keys = ['slot', 'pid', 'start_time', 'parent_pid', 'name', 'command_line', 'user', 'executable', 'cgroup']) {
    return Object.fromEntries(keys.map((key) => [key, list.map((process) => /** @type {any} */ (process)[key])]));
  }

  /** @param {number} [ms] */
  key(ms = Date.now()) {
    const list = /** @type {Process[]} */ (this.slots.filter(Boolean));
    return { type: 'key', ...this.head(ms), facts: this.facts(), previous_id: null, next_id: null,
      columns: this.columns(list, ['slot', 'pid', 'start_time', 'parent_pid', 'name', 'command_line', 'user', 'executable', 'cgroup', 'cpu', 'memory', 'virtual_memory', 'threads', 'state', 'read_bytes', 'write_bytes', 'memory_percent']),
      ended: [], brief: [], losses: [], field_errors: [] };
  }

  /** One interval goes by: `churn` processes end and begin, a third of the rest change. @param {number} [ms] @param {number} [churn] */
  tick(ms = Date.now(), churn = 4) {
    const ended = [];
    const began = [];
    /** @type {number[]} */
    const slots = [];
    for (let i = 0; i < churn; i++) {
      const slot = 120 + Math.floor(this.random() * Math.max(1, this.slots.length - 120));
      const victim = this.slots[slot];
      if (!victim) continue;
      this.slots[slot] = undefined;
      this.free.push(slot);
      ended.push({ slot, ended_at_ms: ms - 200, exit_code: i % 3 === 0 ? 1 : 0, signal: null, cpu_time_us: 390_000, peak_memory_bytes: 6e7 });
      slots.push(slot);
    }
    for (let i = 0; i < slots.length; i++) began.push(this.begin(this.slots[Math.floor(this.random() * 60)]?.pid ?? 1, 'convert', 'convert - -resize 640 /tmp/u91.webp', 'shop', ms - 300));
    /** @type {Record<string, { slots: number[], values: any[] }>} */
    const changes = {};
    const put = (/** @type {string} */ metric, /** @type {number} */ slot, /** @type {any} */ value) => {
      const change = (changes[metric] ??= { slots: [], values: [] });
      change.slots.push(slot);
      change.values.push(value);
    };
    this.slots.forEach((process, slot) => {
      if (!process) return;
      const fresh = slots.includes(slot);
      if (!fresh && this.random() > 0.33) return;
      const before = { ...process };
      this.wander(process);
      process.memory = Math.max(1e6, Math.floor(process.memory * (0.98 + this.random() * 0.04)));
      for (const metric of /** @type {const} */ (['cpu', 'memory', 'virtual_memory', 'threads', 'state', 'read_bytes', 'write_bytes', 'memory_percent'])) if (fresh || before[metric] !== process[metric]) put(metric, slot, process[metric]);
    });
    return { type: 'delta', ...this.head(ms), ended, began: this.columns(began), changes, brief: [], losses: [] };
  }

  live() {
    return this.slots.reduce((sum, process) => sum + (process ? 1 : 0), 0);
  }
}
