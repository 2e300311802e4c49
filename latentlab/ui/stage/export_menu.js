// The address or the lines of Python to the clipboard; the button says when it is done.
function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea'); // a page that is not served over https
  area.value = text;
  element.append(area); area.select(); document.execCommand('copy'); area.remove();
  return Promise.resolve();
}
function lack(line) { // what the address is without, for as long as it takes to read
  if (!line) return;
  line.hidden = false;
  setTimeout(() => { line.hidden = true; }, 8000);
}
element.addEventListener('click', async (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.id === 'take-python') return element.querySelector('dialog').showModal();
  if (button.id === 'take-link') lack(element.querySelector('.ll-note'));
  if (button.dataset.act === 'close') return element.querySelector('dialog').close();
  const lines = element.querySelector('dialog pre');
  const done = await copied(button.id === 'take-link' ? location.href : lines.textContent).then(() => true, () => false);
  const word = button.textContent;
  button.dataset.word ??= word;
  button.textContent = done ? 'Copied' : 'Not allowed';
  setTimeout(() => { button.textContent = button.dataset.word; }, 1500);
});
