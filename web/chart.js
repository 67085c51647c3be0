// One uPlot chart in our manner: an area, quiet lines, a shared crosshair, click to go to a moment, drag to zoom.
import uPlot from './vendor/uplot.js';

const style = document.createElement('link');
style.rel = 'stylesheet';
style.href = new URL('./vendor/uplot.css', import.meta.url).href;
// Before the page's own, which have the last word; charts that are laid out without it would jump.
await new Promise((done) => {
  style.onload = style.onerror = done;
  document.head.prepend(style);
});

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
 * @property {(from: number, until: number, shifted: boolean) => void} [onZoom]
 * @property {(index: number | null, ms: number) => void} [onHover] the sample under the crosshair, and the moment
 * @property {() => boolean} [utc]
 * @property {() => [number, number][]} [losses] when samples or parts of them are known to be lost
 * @property {boolean} [axis]
 */

/** A date whose local hours are the UTC ones of that moment: uPlot's own way asks for a formatted text at each mark. @param {number} ms */
function asUtc(ms) {
  return new Date(ms + new Date(ms).getTimezoneOffset() * 60_000);
}

/** @param {string} name */
export const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** So many distances to each side say how often a host was looked at around then. */
const GAP_NEIGHBOURS = 4;

/**
 * After which samples the line would be a lie: the next one is some times further than usual around there. Hosts are
 * looked at more or less often over time, so what is usual is asked of the neighbours.
 * @param {number[]} time ms, ascending
 * @param {number} stepMs
 * @returns {boolean[]} of each sample, whether a gap follows
 */
export function gapsAfter(time, stepMs) {
  const distances = time.map((ms, i) => (time[i + 1] ?? NaN) - ms);
  distances.pop();
  const usual = (/** @type {number} */ from, /** @type {number} */ until) => {
    const some = distances.slice(Math.max(0, from), Math.max(0, until)).sort((x, y) => x - y);
    return some[some.length >> 1] ?? 0;
  };
  return distances.map((distance, i) => distance > 3.5 * stepMs && distance > 3.5 * Math.max(usual(i - GAP_NEIGHBOURS, i), usual(i + 1, i + 1 + GAP_NEIGHBOURS)));
}

/**
 * Breaks the line where samples are missing. Steps without a sample are left out, so that a host that is looked at less
 * often than there are pixels still has a line.
 * @param {ChartData} data
 * @param {number} stepMs
 * @returns {uPlot.AlignedData}
 */
export function withGaps({ time, values, more }, stepMs) {
  const known = [];
  const knownTime = [];
  for (let i = 0; i < time.length; i++) {
    if (values[i] == null) continue;
    known.push(i);
    knownTime.push(time[i] ?? 0);
  }
  const gaps = gapsAfter(knownTime, stepMs);
  /** @type {number[]} */
  const x = [];
  /** @type {(number | null)[]} */
  const y = [];
  /** @type {(number | null)[]} */
  const y2 = [];
  for (let at = 0; at < known.length; at++) {
    const t = knownTime[at] ?? 0;
    const i = known[at] ?? 0;
    x.push(t);
    y.push(values[i] ?? null);
    if (more) y2.push(more[i] ?? null);
    if (!gaps[at]) continue;
    x.push(t + 1);
    y.push(null);
    y2.push(null);
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
    this.shifted = false;
    /** @type {{ dead: string, past: string, line: string }} */
    this.inks = { dead: '', past: '', line: '' };
    this.plot = this.make();
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(options.host);
  }

  make() {
    const { host } = this.options;
    // Asked for once a theme: to ask in the midst of drawing makes the browser compute styles.
    this.inks = { dead: cssColour('dead'), past: cssColour('past'), line: cssColour('line') };
    const plot = new uPlot(this.uplotOptions(host.clientWidth || 300, host.clientHeight || 80), this.data, host);
    plot.over.addEventListener('mousedown', (event) => {
      this.dragging = true;
      this.shifted = event.shiftKey;
    });
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
      tzDate: (ms) => (utc?.() === false ? new Date(ms) : asUtc(ms)),
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
        drawClear: [(u) => this.drawGaps(u)],
        draw: [(u) => this.drawMoment(u)],
        setSelect: [(u) => this.selected(u)],
        setCursor: [(u) => this.hovered(u)],
      },
    };
  }

  /** @param {uPlot} u */
  drawMoment(u) {
    const at = this.options.at?.() ?? NaN;
    if (Number.isNaN(at)) return;
    const x = Math.round(u.valToPos(at, 'x', true));
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
    u.ctx.fillStyle = this.inks.past;
    u.ctx.fillRect(x - 1, u.bbox.top, Math.max(2, devicePixelRatio * 1.5), u.bbox.height);
  }

  /** Stretches without samples are hatched, and losses marked, so that nobody takes them for calm. @param {uPlot} u */
  drawGaps(u) {
    const { ctx, bbox } = u;
    const edge = (/** @type {number} */ ms) => Math.max(bbox.left, Math.min(bbox.left + bbox.width, u.valToPos(ms, 'x', true)));
    const [time, values] = [this.data[0] ?? [], this.data[1] ?? []];
    ctx.save();
    for (let i = 1; i + 1 < time.length; i++) {
      if (values[i] !== null) continue;
      const left = edge(time[i - 1] ?? 0);
      hatch(ctx, this.inks.line, left, bbox.top, edge(time[i + 1] ?? 0) - left, bbox.height);
    }
    ctx.fillStyle = this.inks.dead;
    for (const [from, until] of this.options.losses?.() ?? []) {
      const left = edge(from);
      const width = edge(until) - left;
      if (width > 0 || (from >= u.posToVal(0, 'x') && left < bbox.left + bbox.width)) ctx.fillRect(left, bbox.top, Math.max(2 * devicePixelRatio, width), 3 * devicePixelRatio);
    }
    ctx.restore();
  }

  /** @param {uPlot} u */
  hovered(u) {
    const left = u.cursor.left ?? -1;
    this.options.onHover?.(left >= 0 ? (u.cursor.idx ?? null) : null, left >= 0 ? u.posToVal(left, 'x') : NaN);
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
    this.options.onZoom?.(from, until, this.shifted);
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

/** @param {CanvasRenderingContext2D} context @param {string} colour @param {number} left @param {number} top @param {number} width @param {number} height */
function hatch(context, colour, left, top, width, height) {
  if (width < 2) return;
  const step = 7 * devicePixelRatio;
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.beginPath();
  for (let x = left - height; x < left + width; x += step) {
    context.moveTo(x, top + height);
    context.lineTo(x + height, top);
  }
  context.strokeStyle = colour;
  context.lineWidth = devicePixelRatio;
  context.stroke();
  context.restore();
}

/** @param {uPlot} u @param {number[]} splits */
function axisTimes(u, splits) {
  const span = (u.scales['x']?.max ?? 0) - (u.scales['x']?.min ?? 0);
  const tzDate = /** @type {any} */ (u).opts?.tzDate;
  return splits.map((ms) => {
    const left = u.valToPos(ms, 'x');
    // The plot's own width: to ask the element for its would make the browser lay out the page in the midst of drawing.
    if (left < 14 || left > u.bbox.width / devicePixelRatio - 14) return '';
    const d = tzDate ? tzDate(ms) : new Date(ms);
    const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
    if (span > 3 * 86_400_000) return `${two(d.getMonth() + 1)}-${two(d.getDate())}`;
    return `${two(d.getHours())}:${two(d.getMinutes())}${span < 300_000 ? `:${two(d.getSeconds())}` : ''}`;
  });
}
