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
// What is offered is made after the pictures: a click waits until it is of the view that is shown.
const shownView = () => document.querySelector('#stage [data-view]')?.dataset.view;
const isLate = () => (element.querySelector('[data-of]')?.dataset.of ?? shownView()) !== shownView();
async function waitForView() {
  for (let turn = 0; turn < 1200 && isLate(); turn++) await new Promise((done) => { setTimeout(done, 50); });
}
function shownAddress() { // the address bar follows the pictures a quarter of a second later
  const address = new URL(location.href);
  new URLSearchParams(shownView()).forEach((value, name) => address.searchParams.set(name, value));
  return address.href;
}
// A device that hands files to its other programs gets one button for all of it.
function readPicture() {
  const link = element.querySelector('#take-png'), bytes = atob(link.href.split(',')[1]);
  return new File([Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))], link.download, { type: 'image/png' });
}
function offerShare() {
  const button = element.querySelector('#take-share');
  if (!button || !navigator.canShare) return;
  button.hidden = !navigator.canShare({ files: [readPicture()] });
  element.classList.toggle('ll-shares', !button.hidden);
}
async function share() { // the reader of the dialog may turn back, which is no error
  await waitForView();
  const words = document.querySelector('.ll-card.ll-accent figcaption span')?.innerText ?? '';
  await navigator.share({ title: 'LatentLab', text: words, url: shownAddress(), files: [readPicture()] }).catch(() => null);
}
watch('value', () => requestAnimationFrame(offerShare));
offerShare();
element.addEventListener('click', async (event) => {
  if (event.target.closest('#take-png') && isLate()) {
    event.preventDefault();
    await waitForView();
    return element.querySelector('#take-png').click();
  }
  const button = event.target.closest('button');
  if (!button) return;
  if (button.id === 'take-share') return share();
  if (button.id === 'take-python') {
    await waitForView();
    return element.querySelector('dialog').showModal();
  }
  if (button.id === 'take-link') lack(element.querySelector('.ll-note'));
  if (button.dataset.act === 'close') return element.querySelector('dialog').close();
  const lines = element.querySelector('dialog pre');
  const done = await copied(button.id === 'take-link' ? shownAddress() : lines.textContent).then(() => true, () => false);
  const word = button.textContent;
  button.dataset.word ??= word;
  button.textContent = done ? 'Copied' : 'Not allowed';
  setTimeout(() => { button.textContent = button.dataset.word; }, 1500);
});
