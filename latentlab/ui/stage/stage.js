// When the pictures have been still for a moment, the address holds their view, and what takes longer may follow.
let wait, rest;
function keep() {
  const shown = element.querySelector('[data-view]');
  if (!shown) return;
  const view = new URLSearchParams(shown.dataset.view), address = new URL(location.href);
  for (const name of [...address.searchParams.keys()]) if (name !== 'tab' && !name.startsWith('__')) address.searchParams.delete(name);
  view.forEach((value, name) => address.searchParams.set(name, value));
  address.hash = '';
  history.replaceState(history.state, '', address);
  try { localStorage.setItem('latentlab-world', view.get('world')); } catch { /* a browser may keep nothing */ }
}
// An event for each listener: Gradio repeats an event for all of its listeners when one of them was late, and two that
// were late would wake each other without end.
function settle() {
  clearTimeout(wait);
  wait = setTimeout(() => { keep(); trigger('settled', {}); trigger('settled_maps', {}); trigger('settled_sets', {}); }, 250);
  clearTimeout(rest);
  rest = setTimeout(() => trigger('rested', {}), 2000);
  trigger('moved', {});
}
// What is drawn after the pictures says of which view it is; as long as that is not the one shown, it is marked.
function markLate() {
  const view = element.querySelector('[data-view]')?.dataset.view;
  for (const part of document.querySelectorAll('[data-of]')) {
    const late = part.dataset.of !== view, box = part.parentElement;
    box.classList.toggle('ll-late', late);
    box.setAttribute('aria-busy', String(late));
  }
}
let frame = 0;
new MutationObserver(() => { cancelAnimationFrame(frame); frame = requestAnimationFrame(markLate); })
  .observe(document.body, { childList: true, subtree: true });
watch('value', settle);
if (element.querySelector('[data-view]')) settle(); // a first view that was here before this script
element.addEventListener('click', (event) => {
  const act = event.target.closest('[data-act]')?.dataset.act;
  if (act === 'refine') trigger('refine', {});
  if (act === 'undo') trigger('undo', {});
  if (act === 'halt') trigger('halt', {});
});
