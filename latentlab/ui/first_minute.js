// What a newcomer reads: three sentences that can be put away for good, and in each tab a line until the tab has been used.
const KEPT = 'latentlab-knows', MOVED = -2, ROUNDS = 24; // the move that is shown: where to, and in how many steps
const known = new Set();
try { for (const word of JSON.parse(localStorage.getItem(KEPT) || '[]')) known.add(word); } catch { /* a browser may keep nothing */ }
function learn(word) {
  if (!word || known.has(word)) return;
  known.add(word);
  try { localStorage.setItem(KEPT, JSON.stringify([...known])); } catch { /* it is told again next time */ }
}
function putAway() {
  learn('welcome');
  element.querySelector('section').hidden = true;
}
function slideTo(control, value) {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(control, value);
  control.dispatchEvent(new Event('input', { bubbles: true }));
}
async function showMove() { // a hand's way along the first slider; the picture follows
  document.querySelector('#tabs button[role=tab]').click();
  const control = document.querySelector('#bank-0 input[type=range]');
  if (!control?.offsetParent) return; // this space has no directions
  control.scrollIntoView({ block: 'nearest' });
  const start = Number(control.value);
  for (let step = 1; step <= ROUNDS; step++) {
    slideTo(control, (start + (MOVED - start) * step / ROUNDS).toFixed(2));
    await new Promise((done) => { setTimeout(done, 50); });
  }
  control.dispatchEvent(new Event('pointerup', { bubbles: true }));
}
element.querySelector('section').hidden = known.has('welcome');
element.addEventListener('click', (event) => {
  const act = event.target.closest('[data-act]')?.dataset.act;
  if (act) putAway();
  if (act === 'show') showMove();
});
// A tab is used when a hand has changed or pressed something in it; its line goes when the tab is opened the next time.
function hideKnown() {
  for (const line of document.querySelectorAll('.ll-purpose')) line.hidden = known.has(line.dataset.tab);
}
function use({ target }) {
  if (target.closest?.('#welcome')) return;
  const panel = target.closest?.('#tabs [role=tabpanel]');
  if (panel) { learn(panel.querySelector('.ll-purpose')?.dataset.tab); learn('welcome'); }
}
document.addEventListener('input', use, true);
document.addEventListener('click', (event) => {
  if (event.target.closest?.('button, input, [data-key]')) use(event);
  if (event.target.closest?.('[role=tab]')) hideKnown();
}, true);
let lines = 0;
new MutationObserver(() => { // Gradio fills a tab when it is opened for the first time
  const now = document.querySelectorAll('.ll-purpose').length;
  if (now !== lines) { lines = now; hideKnown(); }
}).observe(document.body, { childList: true, subtree: true });
