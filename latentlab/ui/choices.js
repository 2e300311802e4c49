// One click on a picture, or Enter on it, chooses it; the keyboard stays where it was when the pictures are new, and the
// strip shows the one that is on the stage.
let last = null;
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-key]');
  if (!button || button.disabled) return;
  last = button.dataset.key;
  trigger('pick', { key: last });
});
watch('value', () => requestAnimationFrame(() => {
  const here = element.querySelector('.ll-here'), strip = here?.closest('.ll-film');
  if (strip) {
    const tile = here.getBoundingClientRect(), frame = strip.getBoundingClientRect();
    if (tile.right > frame.right) strip.scrollLeft += tile.left + tile.width / 2 - frame.left - frame.width / 2;
  }
  if (last === null || document.activeElement !== document.body) return;
  element.querySelector(`[data-key="${CSS.escape(last)}"]`)?.focus({ preventScroll: true });
  last = null;
}));
