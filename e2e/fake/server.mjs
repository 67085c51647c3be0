// A stand-in for the server, for working on the page and for its bench: made-up hosts, the same page API, changes once a second.
//   node fake/server.mjs [--port 0] [--processes 300] [--hosts 3] [--depth 6] [--signed-out]
// Never a substitute for the tests in specs/, which run against the real server.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { readFileSync, existsSync, statSync } from 'node:fs';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { WebSocketServer } from 'ws';
import { World } from './world.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const web = join(here, '..', '..', 'web');
const inline = /<script>([^]*?)<\/script>/.exec(readFileSync(join(web, 'index.html'), 'utf8'))?.[1] ?? '';
export const CSP = `default-src 'none'; script-src 'self' 'sha256-${createHash('sha256').update(inline).digest('base64')}'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;
/** @type {Record<string, string>} */
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** @type {Map<string, { changed: number, bytes: Buffer }>} */
const known = new Map();

/** A file is compressed once, as the real server does, so that what is measured in the browser beside it is not held up. @param {string} file */
function compressed(file) {
  const changed = statSync(file).mtimeMs;
  const last = known.get(file);
  if (last && last.changed === changed) return last.bytes;
  const bytes = gzipSync(readFileSync(file));
  known.set(file, { changed, bytes });
  return bytes;
}

/** @param {{ port?: number, processes?: number, hosts?: number, depth?: number, signedOut?: boolean, tickMs?: number, churn?: number }} options */
export async function startFake({ port = 0, processes = 300, hosts = 3, depth = 6, signedOut = false, tickMs = 1000, churn = 4 } = {}) {
  const world = new World({ hostname: 'web-03', count: processes, depth });
  const names = ['web-03', ...Array.from({ length: hosts - 1 }, (_, i) => `node-${String(i + 1).padStart(4, '0')}.rack-${i % 12}.example`)];
  const hostRows = () => names.map((hostname, i) => ({
    hostname, number: i, status: i % 17 === 5 ? 'stale' : i % 23 === 7 ? 'offline' : 'live', last_seen: new Date(Date.now() - (i % 23 === 7 ? 9e7 : i % 17 === 5 ? 40_000 : 900)).toISOString(), snapshot_id: i * 2 ** 32 + 1,
    process_count: i === 0 ? world.live() : 100 + ((i * 37) % 400), cpu: (i * 131) % 900, memory_bytes: 2e10, host_cpu: ((i * 131) % 900) + Math.random() * 20, memory_used_bytes: ((i * 7) % 60) * 1e9, memory_total: 64e9, cpu_count: 16,
    os: 'Debian 12', architecture: 'x86_64', boot_time: Date.now() - 1e9, agent_version: '0.1.0', collector: 'proc', interval_ms: 5000, connected: true, agent_cpu_us: 1500, agent_memory_bytes: 9e6,
  }));

  /** @param {string} path @param {URLSearchParams} query @returns {any} */
  function api(path, query) {
    if (path === '/api/session/') return { signed_in: true, expires: null };
    if (path === '/api/hosts/') return hostRows();
    if (path === '/api/process-snapshots/columns/') {
      const at = Number(query.get('at')) || Date.now();
      return { ...world.key(at), snapshot_id: query.get('at') ? Math.floor(at / 1000) % 1e9 : world.sequence };
    }
    if (path === '/api/charts/processes/') return recent(Number(query.get('at')) || Date.now(), Number(query.get('snapshots')) || 20);
    if (path === '/api/charts/host/') return charts(Number(query.get('start')), Number(query.get('end')), Number(query.get('points')) || 300);
    if (path === '/api/history/process-series/') {
      const series = charts(Number(query.get('start')), Number(query.get('end')), 200);
      return { step_ms: series.step_ms, time_ms: series.time_ms, cpu: series.cpu, memory: series.memory_bytes };
    }
    return null;
  }

  /** What all processes used lately: made up. @param {number} at @param {number} count */
  function recent(at, count) {
    const live = world.slots.filter((process) => process !== undefined && process.cpu > 0);
    return { hostname: 'web-03', time_ms: Array.from({ length: count }, (_, i) => at - (count - 1 - i) * 1000), pid: live.map((process) => process?.pid), start_time: live.map((process) => process?.start_time),
      cpu: Array.from({ length: count }, (_, i) => live.map((process) => Math.round((process?.cpu ?? 0) * (0.6 + 0.4 * Math.sin(i + (process?.pid ?? 0)))))) };
  }

  /** @param {number} start @param {number} end @param {number} points */
  function charts(start, end, points) {
    const step = Math.max(1000, Math.ceil((end - start) / points));
    /** @type {number[]} */
    const time = [];
    for (let t = Math.ceil(start / step) * step; t <= end; t += step) time.push(t);
    const wave = (/** @type {number} */ base, /** @type {number} */ swing, /** @type {number} */ seed) => time.map((t) => Math.round(base + swing * (Math.sin(t / 700_000 + seed) + 0.4 * Math.sin(t / 91_000 + seed) + ((t / step) * 7919 % 13) / 26)));
    return { hostname: 'web-03', step_ms: step, time_ms: time, snapshot_id: time.map((_, i) => i), cpu: wave(50_000, 20_000, 1), cpu_max: wave(60_000, 20_000, 1), memory_bytes: wave(38e9, 2e9, 2), memory_bytes_max: wave(39e9, 2e9, 2),
      process_count: wave(processes, processes / 20, 3), host_cpu: wave(52_000, 20_000, 1), memory_used_bytes: wave(38e9, 2e9, 2) };
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    if (url.pathname.startsWith('/api/')) {
      const body = signedOut ? { detail: 'Sign in.' } : api(url.pathname, url.searchParams);
      response.writeHead(signedOut ? 401 : body === null ? 404 : 200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' });
      response.end(gzipSync(JSON.stringify(body ?? { detail: 'Not found.' })));
      return;
    }
    const inside = url.pathname.startsWith('/page/') ? normalize(url.pathname.slice(6)) : 'index.html';
    const file = join(web, inside);
    if (inside.startsWith('..') || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Security-Policy': CSP, 'Content-Encoding': 'gzip', 'Cache-Control': 'no-cache' });
    response.end(compressed(file));
  });
  const sockets = new WebSocketServer({ server });
  /** @type {Set<import('ws').WebSocket>} */
  const viewers = new Set();
  sockets.on('connection', (socket, request) => {
    const hostname = new URL(request.url ?? '/', 'http://x').searchParams.get('hostname');
    if (hostname === null) socket.send(JSON.stringify({ type: 'hosts', hosts: hostRows() }));
    else {
      viewers.add(socket);
      socket.send(JSON.stringify(world.key()));
      socket.on('close', () => viewers.delete(socket));
    }
  });
  /** @type {(() => void)[]} */
  const waiting = [];
  const timer = setInterval(() => {
    const delta = JSON.stringify(world.tick(Date.now(), churn));
    for (const socket of viewers) socket.send(delta);
    const changed = JSON.stringify({ type: 'hosts_changed', hosts: hostRows() });
    for (const socket of sockets.clients) if (!viewers.has(socket)) socket.send(changed);
    for (const go of waiting.splice(0)) go();
  }, tickMs);
  await new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(null)));
  const bound = server.address();
  return {
    url: `http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : port}`,
    /** Waits for the next change. @returns {Promise<void>} */
    ticked: () => new Promise((resolve) => waiting.push(resolve)),
    close: () => {
      clearInterval(timer);
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  /** @param {string} name @param {number} otherwise */
  const option = (name, otherwise) => Number(process.argv[process.argv.indexOf(`--${name}`) + 1] || NaN) || otherwise;
  const fake = await startFake({ port: option('port', 0), processes: option('processes', 300), hosts: option('hosts', 3), depth: option('depth', 6), signedOut: process.argv.includes('--signed-out') });
  console.log(fake.url);
}
