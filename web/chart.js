// One uPlot chart in our manner: an area, quiet lines, a shared crosshair, click to go to a moment, drag to zoom.
import uPlot from './vendor/uplot.js';

/** @typedef {{ time: number[], values: (number | null)[], more?: (number | null)[] }} ChartData times in ms */
/**
 * @typedef {object} ChartOptions
 * @property {HTMLElement} host
 * @property {string} colour name of the CSS variable
 * @property {() => [number, number]} range ms
 * @property {() => number} [top] the least top of the scale
 * @property {() => number} [at] the moment that is shown, ms, or NaN
 * @property {string} [sync] charts of one name share the crosshair
 * @property {(ms: number) => void} [onPick]
 * @property {(from: number, until: number) => void} [onZoom]
 * @property {(index: number | null) => void} [onHover]
 * @property {() => boolean} [utc]
 * @property {boolean} [axis]
 */

/** @param {string} name */
export const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/**
 * How far apart two samples may be before the line between them would be a lie: some times the usual distance.
 * @param {number[]} time ms, ascending
 * @param {number} stepMs
 */
export function gapMs(time, stepMs) {
  const distances = [];
  for (let i = 1; i < time.length; i++) distances.push((time[i] ?? 0) - (time[i - 1] ?? 0));
  distances.sort((x, y) => x - y);
  return 3.5 * Math.max(stepMs, distances[distances.length >> 1] ?? 0);
}

/**
 * Breaks the line where samples are missing. Steps without a sample are left out, so that a host that is looked at less
 * often than there are pixels still has a line.
 * @param {ChartData} data
 * @param {number} stepMs
 * @returns {uPlot.AlignedData}
 */
export function withGaps({ time, values, more }, stepMs) {
  const known = time.map((_, i) => i).filter((i) => values[i] != null);
  const gap = gapMs(known.map((i) => time[i] ?? 0), stepMs);
  /** @type {number[]} */
  const x = [];
  /** @type {(number | null)[]} */
  const y = [];
  /** @type {(number | null)[]} */
  const y2 = [];
  for (const i of known) {
    const t = time[i] ?? 0;
    const before = x[x.length - 1];
    if (before !== undefined && t - before > gap) {
      x.push(before + 1);
      y.push(null);
      y2.push(null);
    }
    x.push(t);
    y.push(values[i] ?? null);
    y2.push(more?.[i] ?? null);
  }
  return more ? [x, y, y2] : [x, y];
}

export class Chart {
  /** @param {ChartOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {uPlot.AlignedData} */
    this.data = [[], [], []];
    this.dragging = false;
    this.plot = this.make();
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(options.host);
  }

  make() {
    const { host } = this.options;
    const plot = new uPlot(this.uplotOptions(host.clientWidth || 300, host.clientHeight || 80), this.data, host);
    plot.over.addEventListener('mousedown', () => (this.dragging = true));
    plot.over.addEventListener('click', () => {
      const left = plot.cursor.left ?? -1;
      if (left >= 0) this.options.onPick?.(plot.posToVal(left, 'x'));
    });
    return plot;
  }

  /** @param {number} width @param {number} height @returns {uPlot.Options} */
  uplotOptions(width, height) {
    const { range, top, sync, axis = true, utc, colour } = this.options;
    const ink = cssColour('ink-2');
    const line = cssColour(colour);
    return {
      width, height, ms: 1, legend: { show: false }, padding: [4, 0, axis ? 0 : 2, 0],
      tzDate: (ms) => (utc?.() === false ? new Date(ms) : uPlot.tzDate(new Date(ms), 'Etc/UTC')),
      cursor: {
        y: false, points: { show: false }, drag: { x: Boolean(this.options.onZoom), y: false, setScale: false, dist: 5 },
        ...(sync ? { sync: { key: sync, setSeries: false, scales: ['x', null] } } : {}),
      },
      scales: { x: { time: true, range: () => range() }, y: { range: (_u, _min, max) => [0, Math.max(top?.() ?? 0, (max || 0) * 1.08, 1e-9)] } },
      axes: [
        axis ? { stroke: ink, font: '11px system-ui, "DejaVu Sans", sans-serif', size: 18, gap: 2, grid: { show: false }, ticks: { show: false }, space: 70, values: axisTimes } : { show: false },
        { size: 0, splits: (_u, _i, _min, max) => [max * 0.25, max * 0.5, max * 0.75], values: () => [], ticks: { show: false }, grid: { stroke: cssColour('line-soft'), width: 1 } },
      ],
      series: [{}, { stroke: line, width: 1.4, fill: `${line}22`, points: { show: false } }, { stroke: `${line}55`, width: 1, points: { show: false } }],
      hooks: {
        draw: [(u) => this.drawMoment(u)],
        setSelect: [(u) => this.selected(u)],
        setCursor: [(u) => this.options.onHover?.(u.cursor.left !== undefined && u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null)],
      },
    };
  }

  /** @param {uPlot} u */
  drawMoment(u) {
    const at = this.options.at?.() ?? NaN;
    if (Number.isNaN(at)) return;
    const x = Math.round(u.valToPos(at, 'x', true));
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
    u.ctx.fillStyle = cssColour('past');
    u.ctx.fillRect(x - 1, u.bbox.top, Math.max(2, devicePixelRatio * 1.5), u.bbox.height);
  }

  /** @param {uPlot} u */
  selected(u) {
    const { left, width } = u.select;
    if (width < 5) return;
    const from = u.posToVal(left, 'x');
    const until = u.posToVal(left + width, 'x');
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    // Charts that share the crosshair share the drag too; only the one that people dragged on answers.
    if (!this.dragging) return;
    this.dragging = false;
    this.options.onZoom?.(from, until);
  }

  /** @param {uPlot.AlignedData} data */
  show(data) {
    this.data = data.length === 2 ? [data[0], data[1], new Array(data[0].length).fill(null)] : data;
    this.plot.setData(this.data);
  }

  redraw() {
    this.plot.setData(this.data);
  }

  /** Colours come from the theme, which a canvas does not follow by itself. */
  restyle() {
    this.plot.destroy();
    this.plot = this.make();
  }

  fit() {
    const { clientWidth, clientHeight } = this.options.host;
    if (clientWidth && clientHeight && (clientWidth !== this.plot.width || clientHeight !== this.plot.height)) this.plot.setSize({ width: clientWidth, height: clientHeight });
  }

  destroy() {
    this.resize.disconnect();
    this.plot.destroy();
  }
}

/** @param {uPlot} u @param {number[]} splits */
function axisTimes(u, splits) {
  const span = (u.scales['x']?.max ?? 0) - (u.scales['x']?.min ?? 0);
  const tzDate = /** @type {any} */ (u).opts?.tzDate;
  return splits.map((ms) => {
    const left = u.valToPos(ms, 'x');
    if (left < 14 || left > u.over.clientWidth - 14) return '';
    const d = tzDate ? tzDate(ms) : new Date(ms);
    const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
    if (span > 3 * 86_400_000) return `${two(d.getMonth() + 1)}-${two(d.getDate())}`;
    return `${two(d.getHours())}:${two(d.getMinutes())}${span < 300_000 ? `:${two(d.getSeconds())}` : ''}`;
  });
}
