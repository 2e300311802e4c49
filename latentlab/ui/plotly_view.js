// One Plotly figure: kept while it changes, in the colours of the page; its script is fetched when the first one is seen.
const host = element.querySelector('.ll-figure'), tip = element.querySelector('.ll-figure-tip');
const FAILED = 'The script that draws plots did not arrive. Reload the page.';
let turn = 0, listening = false, hovered = null, pictures = null, loop = null, below = null, wait;
const seen = new Map();

function library() { // once for all figures; kept apart, as other scripts may bring a Plotly of their own
  return window.latentlabPlotly ??= new Promise((done, fail) => {
    const script = document.createElement('script');
    script.src = props.script;
    script.onload = () => done(window.Plotly);
    script.onerror = () => { window.latentlabPlotly = undefined; script.remove(); fail(new Error(FAILED)); };
    document.head.append(script);
  });
}
function webgl() {
  if (window.latentlabWebgl === undefined) {
    const context = document.createElement('canvas').getContext('webgl');
    window.latentlabWebgl = Boolean(context);
    context?.getExtension('WEBGL_lose_context')?.loseContext(); // a browser has few of them
  }
  return window.latentlabWebgl;
}

// the page's colours
const plain = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
function under(defaults, given) { // what is given, and the defaults where nothing is
  if (!plain(defaults) || !plain(given)) return given === undefined ? defaults : given;
  const both = { ...given };
  for (const name of Object.keys(defaults)) both[name] = under(defaults[name], given[name]);
  return both;
}
function coloured(value, css) { // "var(--name)" as the theme has it now
  if (typeof value === 'string') return value.startsWith('var(--') ? css.getPropertyValue(value.slice(4, -1)).trim() : value;
  if (Array.isArray(value)) return typeof value[0] === 'number' && value.length > 2 ? value : value.map((item) => coloured(item, css));
  return plain(value) ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, coloured(item, css)])) : value;
}
const clear = 'rgba(0,0,0,0)';
const AXIS = { gridcolor: 'var(--ll-line)', zerolinecolor: 'var(--ll-line)', linecolor: 'var(--ll-before)', tickcolor: 'var(--ll-before)', color: 'var(--ll-quiet)' };
const SPACE = { ...AXIS, showbackground: false, showspikes: false };
const LAYOUT = {
  autosize: true, uirevision: 'kept', hovermode: 'closest', margin: { l: 44, r: 12, t: 12, b: 36 },
  paper_bgcolor: clear, plot_bgcolor: clear, font: { size: 12, color: 'var(--ll-ink)' },
  hoverlabel: { bgcolor: 'var(--ll-ink)', bordercolor: 'var(--ll-ink)', font: { color: 'var(--ll-ground)', size: 12 } },
  legend: { bgcolor: clear, itemsizing: 'constant' },
  modebar: { bgcolor: clear, color: 'var(--ll-quiet)', activecolor: 'var(--ll-accent)' },
  newselection: { line: { color: 'var(--ll-accent)', width: 1.5, dash: 'solid' } },
  xaxis: { automargin: true }, yaxis: { automargin: true },
};
const NARROW = 520; // px: a legend that has a place of its own goes below the figure
const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ['sendChartToCloud', 'zoomIn2d', 'zoomOut2d', 'autoScale2d'] };
function styled(figure) {
  const css = getComputedStyle(document.body), layout = under(LAYOUT, figure.layout || {});
  for (const name of Object.keys(layout)) {
    if (/^[xy]axis\d*$/.test(name)) layout[name] = under(AXIS, layout[name]);
    if (/^scene\d*$/.test(name)) for (const axis of ['xaxis', 'yaxis', 'zaxis']) layout[name][axis] = under(SPACE, layout[name][axis]);
  }
  layout.font.family = css.fontFamily;
  if (host.offsetWidth < NARROW && figure.layout?.legend) layout.legend = { ...layout.legend, orientation: 'h', x: 0, xanchor: 'left', yref: 'container', y: 0, yanchor: 'bottom' };
  const data = webgl() ? figure.data : figure.data.map((trace) => trace.type === 'scattergl' ? { ...trace, type: 'scatter' } : trace);
  return { data: coloured(data, css), layout: coloured(layout, css), config: { ...CONFIG, ...figure.config } };
}

async function draw() {
  const mine = ++turn;
  hide();
  if (!props.value) { if (listening) { (await library()).purge(host); listening = false; } return; }
  if (!host.offsetWidth) return; // drawn when it is seen
  if (host._dragging || loop) { setTimeout(() => { if (mine === turn) draw(); }, 150); return; } // a lasso is being drawn
  let plotly;
  try { plotly = await library(); } catch (error) { host.textContent = error.message; return; }
  if (mine !== turn) return;
  const figure = JSON.parse(props.value), { data, layout, config } = styled(figure);
  if (figure.sprites) for (const trace of data) if (trace.customdata?.bdata) trace.marker = { ...trace.marker, size: 2 };
  pictures = figure.pictures;
  showSprites(figure.sprites);
  await plotly.react(host, data, layout, config);
  if (!listening) { listening = true; listen(); }
}

// thumbnails in the place of points: one sheet for all, laid over the points and following the axes
const board = document.createElement('canvas'), sheets = new Map();
let sheet = null, side = 0;
async function showSprites(asked) {
  const key = asked ? JSON.stringify(asked) : null;
  if (key && !sheets.has(key)) sheets.set(key, server.look(asked).then(async (found) => {
    const image = new Image();
    image.src = found.src;
    await image.decode();
    return { image, columns: Math.ceil(Math.sqrt(asked.count)), rows: Math.ceil(asked.count / Math.ceil(Math.sqrt(asked.count))) };
  }).catch(() => null));
  sheet = key ? await sheets.get(key) : null;
  if (!sheet) board.remove();
  drawSprites();
}
function edge(marker, place) { // the colour of a point
  if (typeof marker.color === 'string') return marker.color;
  const share = Math.min(1, Math.max(0, (marker.color[place] - marker.cmin) / (marker.cmax - marker.cmin)));
  const [low, middle, high] = marker.colorscale.map(([, colour]) => colour);
  return share < 0.5 ? `color-mix(in srgb, ${middle} ${200 * share}%, ${low})` : `color-mix(in srgb, ${high} ${200 * share - 100}%, ${middle})`;
}
function drawSprites() {
  const { _fullLayout: full, _fullData: data } = host, below = host.querySelector('.gl-container');
  if (!sheet || !full?.xaxis || !below) return;
  if (board.parentElement !== below) { below.prepend(board); board.className = 'll-sprites'; }
  const { width, height } = full, grain = devicePixelRatio, pen = board.getContext('2d'), { xaxis, yaxis } = full;
  board.width = width * grain; board.height = height * grain;
  pen.scale(grain, grain);
  pen.beginPath(); pen.rect(xaxis._offset, yaxis._offset, xaxis._length, yaxis._length); pen.clip();
  const seen = [];
  for (const trace of data) {
    if (trace.visible !== true || typeof trace.customdata?.[0] !== 'number') continue;
    for (let k = 0; k < trace.x.length; k++) {
      const x = xaxis._offset + xaxis.d2p(trace.x[k]), y = yaxis._offset + yaxis.d2p(trace.y[k]);
      if (x > -40 && y > -40 && x < width + 40 && y < height + 40) seen.push([x, y, trace.customdata[k], edge(trace.marker, k)]);
    }
  }
  side = Math.max(14, Math.min(48, 0.55 * Math.sqrt(width * height / (seen.length || 1))));
  const wide = sheet.image.width / sheet.columns, high = sheet.image.height / sheet.rows, tall = side * high / wide;
  pen.imageSmoothingEnabled = side < wide;
  for (const [x, y, row, colour] of seen) {
    pen.fillStyle = colour;
    pen.fillRect(x - side / 2 - 1.5, y - tall / 2 - 1.5, side + 3, tall + 3);
    pen.drawImage(sheet.image, (row % sheet.columns) * wide, Math.floor(row / sheet.columns) * high, wide, high, x - side / 2, y - tall / 2, side, tall);
  }
}

// what a hand chooses
const index = (event) => event.points.map((point) => [point.curveNumber, point.pointIndex ?? point.pointNumber]);
function listen() {
  host.on('plotly_selected', (event) => {
    if (!event?.points || !event.selections?.length) return;
    trigger('select', { index: index(event), value: 'lasso' });
    library().then((plotly) => plotly.relayout(host, { selections: [] })); // the frame goes, what it held is shown by the answer
  });
  host.on('plotly_click', (event) => trigger('click', { index: index(event).slice(0, 1), value: 'click' }));
  host.on('plotly_deselect', () => trigger('clear', { index: [], value: null }));
  host.on('plotly_hover', (event) => hover(event.points[0], event.event));
  host.on('plotly_unhover', hide);
  for (const moved of ['plotly_afterplot', 'plotly_relayouting', 'plotly_restyle']) host.on(moved, () => requestAnimationFrame(drawSprites));
}

// a lasso of our own: Plotly's draws all points anew at every step of the hand, which is slow where they are many
const lassoing = (event) => host._fullLayout?.dragmode === 'lasso' && event.target.closest?.('.nsewdrag');
const outline = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
outline.classList.add('ll-loop');
outline.append(document.createElementNS('http://www.w3.org/2000/svg', 'polygon'));
function at({ clientX, clientY }) {
  const frame = host.getBoundingClientRect();
  return [clientX - frame.left, clientY - frame.top];
}
function inside(x, y) { // the even-odd rule
  let odd = false;
  for (let i = 0, j = loop.length - 1; i < loop.length; j = i++) {
    const [a, b] = loop[i], [c, d] = loop[j];
    if ((b > y) !== (d > y) && x < (c - a) * (y - b) / (d - b) + a) odd = !odd;
  }
  return odd;
}
function caught() {
  const { xaxis, yaxis } = host._fullLayout, found = [];
  host._fullData.forEach((trace, curve) => {
    if (trace.visible !== true || !trace.mode?.includes('markers')) return;
    for (let k = 0; k < trace.x.length; k++) {
      if (inside(xaxis._offset + xaxis.d2p(trace.x[k]), yaxis._offset + yaxis.d2p(trace.y[k]))) found.push([curve, k]);
    }
  });
  return found;
}
host.addEventListener('pointerdown', (event) => {
  if (event.button || !lassoing(event)) return;
  loop = [at(event)];
  below = host._hoverdata;
  hide();
  outline.firstChild.setAttribute('points', '');
  host.append(outline);
  host.setPointerCapture(event.pointerId);
}, true);
host.addEventListener('pointermove', (event) => {
  if (!loop) return;
  const [x, y] = at(event), [a, b] = loop.at(-1);
  if (Math.hypot(x - a, y - b) < 3) return;
  loop.push([x, y]);
  outline.firstChild.setAttribute('points', loop.join(' '));
}, true);
host.addEventListener('pointerup', () => {
  if (!loop) return;
  if (loop.length > 3) trigger('select', { index: caught(), value: 'lasso' });
  else if (below?.length) trigger('click', { index: index({ points: below }).slice(0, 1), value: 'click' });
  loop = null;
  outline.remove();
}, true);
host.addEventListener('pointercancel', () => { loop = null; outline.remove(); }, true);
for (const kind of ['mousedown', 'touchstart']) host.addEventListener(kind, (event) => { if (lassoing(event)) { event.stopPropagation(); host.focus({ preventScroll: true }); } }, true);
for (const kind of ['mousemove', 'touchmove']) host.addEventListener(kind, (event) => { if (loop) { event.stopPropagation(); event.preventDefault(); } }, { capture: true, passive: false });
host.addEventListener('dblclick', (event) => { if (lassoing(event)) trigger('clear', { index: [], value: null }); }, true);

// the picture of a point
function hide() { hovered = null; clearTimeout(wait); tip.classList.remove('ll-seen'); }
function hover(point, { clientX, clientY }) {
  const told = point.customdata;
  if (typeof told === 'string' && told.startsWith('data:image/png')) return show({ src: told, text: point.text || '' }, clientX, clientY);
  if (typeof told !== 'number' || !pictures) return hide();
  const asked = { ...pictures, row: told }, key = JSON.stringify(asked);
  hovered = key;
  clearTimeout(wait);
  wait = setTimeout(async () => {
    if (!seen.has(key)) seen.set(key, await server.look(asked).catch(() => null));
    const found = seen.get(key);
    if (hovered === key && found) show({ src: found.src, text: [point.text, found.text].filter(Boolean).join(' · ') }, clientX, clientY);
  }, 40);
}
function show({ src, text }, x, y) {
  const image = document.createElement('img'), words = document.createElement('span');
  image.src = src; image.alt = ''; words.textContent = text;
  tip.replaceChildren(image, words);
  tip.classList.add('ll-seen');
  const right = x + 16 + tip.offsetWidth < innerWidth, low = y + 16 + tip.offsetHeight < innerHeight;
  tip.style.left = (right ? x + 16 : Math.max(4, x - 16 - tip.offsetWidth)) + 'px';
  tip.style.top = (low ? y + 16 : Math.max(4, y - 16 - tip.offsetHeight)) + 'px';
}

// the keyboard
function zoomed(range, shift, factor) {
  const middle = (range[0] + range[1]) / 2, half = (range[1] - range[0]) / 2;
  return [middle + 2 * half * shift - half * factor, middle + 2 * half * shift + half * factor];
}
function turned({ eye }, [right, up], factor) {
  const angle = Math.atan2(eye.y, eye.x) + right * 1.5, flat = Math.hypot(eye.x, eye.y) * factor;
  return { x: flat * Math.cos(angle), y: flat * Math.sin(angle), z: eye.z * factor + up };
}
host.addEventListener('keydown', async (event) => {
  const moves = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
  const factor = { '+': 1 / 1.25, '=': 1 / 1.25, '-': 1.25 }[event.key], full = host._fullLayout;
  if (!full || event.target !== host || !(factor || event.key in moves || event.key === '0') || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const plotly = await library(), [x, y] = moves[event.key] || [0, 0], { xaxis, yaxis, scene } = full;
  if (scene) plotly.relayout(host, { 'scene.camera.eye': event.key === '0' ? { x: 1.25, y: 1.25, z: 1.25 } : turned(scene.camera, [x, y], factor || 1) });
  else if (event.key === '0') plotly.relayout(host, { 'xaxis.autorange': true, 'yaxis.autorange': true });
  else plotly.relayout(host, { 'xaxis.range': zoomed(xaxis.range, x, factor || 1), 'yaxis.range': zoomed(yaxis.range, y, factor || 1) });
});

// the theme, and the first sight of a figure in a tab that was closed
let dark = document.body.classList.contains('dark'), width = 0;
new MutationObserver(() => {
  if (dark !== document.body.classList.contains('dark')) { dark = !dark; draw(); }
}).observe(document.body, { attributes: true, attributeFilter: ['class'] });
new ResizeObserver(() => {
  const now = host.offsetWidth;
  if (now && (!width || (now < NARROW) !== (width < NARROW))) draw();
  width = now;
}).observe(host);
watch('value', draw);
