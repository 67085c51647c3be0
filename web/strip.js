// The thin strip under the charts: CPU over a longer time, to scrub along.
import { cssColour, gapsAfter } from './chart.js';

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{ step_ms: number, time_ms: number[], cpu: (number | null)[], host_cpu: (number | null)[] }} series
 * @param {number} from ms
 * @param {number} until ms
 */
export function drawStrip(canvas, series, from, until) {
  const scale = devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) return;
  const values = series.time_ms.map((_, i) => series.host_cpu[i] ?? series.cpu[i] ?? null);
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  const colour = cssColour('cpu');
  const x = (/** @type {number} */ ms) => ((ms - from) / (until - from)) * width;
  const y = (/** @type {number} */ value) => height - 1 - (value / most) * (height - 4);
  for (const run of runsOf(series.time_ms, values, series.step_ms || 5000)) {
    const line = new Path2D();
    run.forEach(([ms, value], i) => (i ? line.lineTo(x(ms), y(value)) : line.moveTo(x(ms), y(value))));
    const area = new Path2D(line);
    area.lineTo(x(run[run.length - 1]?.[0] ?? 0), height);
    area.lineTo(x(run[0]?.[0] ?? 0), height);
    context.fillStyle = `${colour}22`;
    context.fill(area);
    context.strokeStyle = colour;
    context.lineWidth = 1.2 * scale;
    context.stroke(line);
  }
}

/** Stretches without a gap. @param {number[]} time @param {(number | null)[]} values @param {number} stepMs @returns {[number, number][][]} */
function runsOf(time, values, stepMs) {
  const known = time.map((_, i) => i).filter((i) => values[i] != null);
  const gaps = gapsAfter(known.map((i) => time[i] ?? 0), stepMs);
  /** @type {[number, number][][]} */
  const runs = [];
  /** @type {[number, number][]} */
  let run = [];
  known.forEach((i, at) => {
    run.push([time[i] ?? 0, values[i] ?? 0]);
    if (!gaps[at]) return;
    runs.push(run);
    run = [];
  });
  if (run.length) runs.push(run);
  return runs;
}
