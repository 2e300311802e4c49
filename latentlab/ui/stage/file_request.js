// A file that is made when it is asked for: the button says so until it is there.
const busy = (on) => element.querySelectorAll('button').forEach((button) => {
  button.disabled = on;
  if (button.dataset.word) { button.textContent = button.dataset.word; delete button.dataset.word; }
});
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-key]');
  if (!button || button.disabled) return;
  busy(true);
  button.dataset.word = button.textContent;
  button.textContent = '…';
  trigger('pick', { key: button.dataset.key });
});
watch('value', () => busy(false));
