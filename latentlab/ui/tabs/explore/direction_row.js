// The row of pictures is the track of the slider below it: a click goes to a picture's place, a drag goes between them.
const REACH = 4; // px that a hand may tremble in a click
let start = null, dragged = false;
function findPlace(event, snaps) {
  const row = element.querySelector('[data-slider]'), box = row.getBoundingClientRect(), count = row.children.length;
  const low = Number(row.dataset.low), high = Number(row.dataset.high), gap = (high - low) / (count - 1);
  const along = ((event.clientX - box.left) / box.width) * count - 0.5, margin = snaps ? 0 : 0.5;
  return low + gap * Math.min(count - 1 + margin, Math.max(-margin, snaps ? Math.round(along) : along));
}
function slide(place) {
  const row = element.querySelector('[data-slider]');
  const control = document.querySelector(`#${row.dataset.slider} input[type=range]`);
  const value = (Math.round(place * 20) / 20).toString();
  row.style.setProperty('--ll-at', `${100 * share(row, Number(value))}%`);
  if (control.value === value) return;
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(control, value);
  control.dispatchEvent(new Event('input', { bubbles: true }));
}
function share(row, place) {
  const low = Number(row.dataset.low), high = Number(row.dataset.high), count = row.children.length;
  return ((place - low) / (high - low) * (count - 1) + 0.5) / count;
}
element.addEventListener('pointerdown', (event) => {
  if (event.button || !event.target.closest('[data-slider]')) return;
  start = event.clientX;
  dragged = false;
  element.setPointerCapture(event.pointerId);
});
element.addEventListener('pointermove', (event) => {
  if (start === null) return;
  dragged ||= Math.abs(event.clientX - start) > REACH;
  if (dragged) slide(findPlace(event, false));
});
element.addEventListener('pointerup', (event) => {
  if (start !== null && !dragged) slide(findPlace(event, true));
  start = null;
});
element.addEventListener('pointercancel', () => { start = null; });
