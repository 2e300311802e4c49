// A click answers, opens or goes; where the visitor is stays in this browser, and comes back with the next visit.
const KEPT = 'latentlab-lessons';
function kept() {
  try { return localStorage.getItem(KEPT); } catch { return null; /* a browser may keep nothing */ }
}
function keep() {
  const now = element.querySelector('[data-progress]')?.dataset.progress;
  try { if (now) localStorage.setItem(KEPT, now); } catch { /* a browser may keep nothing */ }
}
let last = null;
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-key], button[data-go]');
  if (!button || button.ariaPressed === 'true' || element.querySelector('.ll-busy')) return;
  if (button.dataset.go !== undefined) {
    trigger('go', { key: button.dataset.go });
    window.scrollTo({ top: 0, behavior: 'smooth' });
    return;
  }
  last = button.dataset.key;
  if (!/^(say|open|again|world) ?/.test(last)) return; // a picture of a plan: nothing to choose
  button.classList.add('ll-busy');
  button.setAttribute('aria-busy', 'true');
  const wait = element.querySelector('.ll-wait');
  if (wait && last.startsWith('say')) wait.textContent = 'The networks are computing the answer.';
  trigger('pick', { key: last });
});
watch('value', () => {
  keep();
  requestAnimationFrame(() => {
    if (last?.startsWith('say')) {
      const told = [...element.querySelectorAll('.ll-told')].pop();
      told?.closest('.ll-step').scrollIntoView({ behavior: 'smooth', block: 'nearest' });
      element.querySelector('.ll-open button, .ll-end button')?.focus({ preventScroll: true });
    } else if (last) element.querySelector(`[data-key="${CSS.escape(last)}"]`)?.focus({ preventScroll: true });
    last = null;
  });
});
const before = kept();
if (before) trigger('back', { key: before });
