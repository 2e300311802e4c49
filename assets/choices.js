// One click on a picture, or Enter on it, chooses it; the keyboard stays where it was when the pictures are new.
let last = null;
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-key]');
  if (!button || button.disabled) return;
  last = button.dataset.key;
  trigger('pick', { key: last });
});
watch('value', () => requestAnimationFrame(() => {
  if (last === null || document.activeElement !== document.body) return;
  element.querySelector(`[data-key="${CSS.escape(last)}"]`)?.focus({ preventScroll: true });
  last = null;
}));
