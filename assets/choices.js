// One click on a picture, or Enter on it, chooses it.
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-key]');
  if (button && !button.disabled) trigger('pick', { key: button.dataset.key });
});
