// A list that is told anew while it is used: a click or Enter picks, and the keyboard stays where it was.
let held = null;
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-key]');
  if (button && !button.disabled) trigger('pick', { key: button.dataset.key });
});
element.addEventListener('focusin', (event) => { held = event.target.closest('[data-key]')?.dataset.key ?? null; });
element.addEventListener('focusout', (event) => { if (event.target.isConnected) held = null; });
watch('value', () => requestAnimationFrame(() => {
  if (held === null || document.activeElement !== document.body) return;
  element.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
}));
