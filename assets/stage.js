// When the pictures have been still for a moment, the address holds their view, and what takes longer may follow.
let wait;
function keep() {
  const shown = element.querySelector('[data-view]');
  if (!shown) return;
  const view = new URLSearchParams(shown.dataset.view), address = new URL(location.href);
  view.forEach((value, name) => address.searchParams.set(name, value));
  address.hash = '';
  history.replaceState(history.state, '', address);
  try { localStorage.setItem('latentlab-world', view.get('world')); } catch { /* a browser may keep nothing */ }
}
watch('value', () => {
  clearTimeout(wait);
  wait = setTimeout(() => { keep(); trigger('settled', {}); }, 250);
});
