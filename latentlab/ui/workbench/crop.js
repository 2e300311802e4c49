// A square frame over the picture: drag to move, wheel or + and − for its size, arrow keys for fine steps.
const frame = () => element.querySelector('.ll-frame');
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
let grip = null, later;

function place(x, y, side) {
  const f = frame(), wide = +f.dataset.wide, high = +f.dataset.high, ratio = +f.dataset.ratio;
  const most = Math.min(wide, high * ratio), w = clamp(side, Math.min(16, most), most), h = w / ratio;
  f.dataset.x = clamp(x, 0, wide - w); f.dataset.y = clamp(y, 0, high - h); f.dataset.side = w;
  f.style.left = 100 * f.dataset.x / wide + '%'; f.style.top = 100 * f.dataset.y / high + '%';
  f.style.width = 100 * w / wide + '%'; f.style.height = 100 * h / high + '%';
}
function send() {
  const f = frame(), x = +f.dataset.x, y = +f.dataset.y, w = +f.dataset.side;
  trigger('crop', { box: [x, y, x + w, y + w / +f.dataset.ratio] });
}
const soon = () => { clearTimeout(later); later = setTimeout(send, 150); };
const at = () => { const f = frame(); return [+f.dataset.x, +f.dataset.y, +f.dataset.side]; };
function grow(factor) {
  const [x, y, side] = at();
  place(x + side * (1 - factor) / 2, y + side * (1 - factor) / 2, side * factor);
  soon();
}
element.addEventListener('pointerdown', (event) => {
  const f = frame(), area = event.target.closest('.ll-crop');
  if (!f || !area) return;
  const scale = +f.dataset.wide / area.clientWidth;
  grip = { scale, from: [event.clientX, event.clientY], start: at() };
  area.setPointerCapture(event.pointerId);
  event.preventDefault(); f.focus({ preventScroll: true });
});
element.addEventListener('pointermove', (event) => {
  if (!grip) return;
  const [x, y, side] = grip.start, s = grip.scale;
  place(x + (event.clientX - grip.from[0]) * s, y + (event.clientY - grip.from[1]) * s, side);
});
element.addEventListener('pointerup', () => { if (grip) { grip = null; send(); } });
element.addEventListener('pointercancel', () => { grip = null; });
element.addEventListener('wheel', (event) => {
  if (!frame() || !event.target.closest('.ll-crop')) return;
  event.preventDefault(); grow(event.deltaY > 0 ? 1.08 : 1 / 1.08);
}, { passive: false });
element.addEventListener('keydown', (event) => {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!frame() || document.activeElement !== frame()) return;
  if (event.key === '+' || event.key === '-') { event.preventDefault(); grow(event.key === '+' ? 1 / 1.08 : 1.08); }
  if (!(event.key in moves)) return;
  event.preventDefault();
  const [x, y, side] = at(), step = side / 32;
  place(x + moves[event.key][0] * step, y + moves[event.key][1] * step, side); soon();
});
