// Uploads in the published shape, made for the specs.

export const HOSTILE_PATTERNS = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '<svg/onload=alert(1)>', "'; DROP TABLE processes; --", '=cmd|\'/C calc\'!A0', '+1+1', '@SUM(A1)', '$(reboot)', '`id`', '; rm -rf /',
  '\u202Eevil\u202C.exe', '\u2066isolate\u2069', '\u200f\u200e', 'tab\there', 'line\nbreak\r\nmore', 'nul\u0001byte', '\u001b[31mred\u001b[0m', '\u009b31m', 'zero\u200bwidth\u2060', '\ufeffbom',
  'a'.repeat(4000), '\u0936\u094d'.repeat(300), 'Z\u0353\u033b\u0347\u0342\u0310'.repeat(40), '\ud83d\ude08'.repeat(50), '{{7*7}}${7*7}<%= 7*7 %>', 'javascript:alert(1)', '%00%0a', '../../etc/passwd', '\u2028sep\u2029', '__proto__', 'constructor', 'null', 'undefined', 'NaN', '-1', ' ', '\u3164', '&lt;b&gt;&amp;', '<!--', ']]>'];

/** 200 strings, each pattern in several shapes. */
export function hostileStrings() {
  return Array.from({ length: 200 }, (_, i) => `${HOSTILE_PATTERNS[i % HOSTILE_PATTERNS.length]}${i < HOSTILE_PATTERNS.length ? '' : ` ${i}`}`);
}

/** @param {string} hostname @param {Date} time @param {object[]} processes */
export const snapshot = (hostname, time, processes) => ({ hostname, snapshot_time: time.toISOString(), processes, cpu_count: 8, memory_total: 16_000_000_000, os: 'Debian 12' });

/** A small tree: init, a shell, a server with two workers. @param {number} busy CPU of the first worker */
export function smallTree(busy) {
  return [
    { pid: 1, name: 'init', cpu: 0.1, memory: '12MB', parent_pid: null, user: 'root', command_line: '/sbin/init', start_time: '2026-01-01T00:00:00Z' },
    { pid: 40, name: 'sh', cpu: 0, memory: '2MB', parent_pid: 1, user: 'ann', command_line: 'sh -c work', start_time: '2026-01-01T00:01:00Z' },
    { pid: 50, name: 'webserver', cpu: 1.5, memory: '90MB', parent_pid: 1, user: 'www', command_line: 'webserver --port 80', start_time: '2026-01-01T00:01:00Z' },
    { pid: 51, name: 'worker-one', cpu: busy, memory: '200MB', parent_pid: 50, user: 'www', command_line: 'webserver: worker one', start_time: '2026-01-01T00:01:01Z' },
    { pid: 52, name: 'worker-two', cpu: 3, memory: '150MB', parent_pid: 50, user: 'www', command_line: 'webserver: worker two', start_time: '2026-01-01T00:01:01Z' },
  ];
}

/** Many processes, `depth` levels deep. @param {number} count @param {number} depth */
export function bigTree(count, depth) {
  const processes = [];
  for (let i = 0; i < count; i++) {
    const parent = i === 0 ? null : i < depth ? i : 1 + ((i * 7919) % Math.min(i, 400));
    processes.push({ pid: i + 1, name: i % 50 === 7 ? '<b>bold</b>' : `task-${i}`, cpu: (i * 37) % 100 / 10, memory: 1_000_000 + i * 1000, parent_pid: parent, user: `user${i % 9}`, command_line: `/usr/bin/task --number ${i}`, threads: 1 + (i % 5) });
  }
  return processes;
}
