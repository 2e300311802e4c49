// What belongs to one pair lights up together: its two pictures, its line, its cost, its mix.
function light(event) {
  const near = event.target.closest?.('[data-pair]'), panel = near?.closest('.ll-panel');
  element.querySelectorAll('.ll-lit').forEach((part) => part.classList.remove('ll-lit'));
  element.querySelectorAll('.ll-dim').forEach((part) => part.classList.remove('ll-dim'));
  if (!panel) return;
  panel.classList.add('ll-dim');
  panel.querySelectorAll(`[data-pair="${CSS.escape(near.dataset.pair)}"]`).forEach((part) => part.classList.add('ll-lit'));
}
element.addEventListener('pointerover', light);
element.addEventListener('focusin', light);
element.addEventListener('pointerleave', light);
