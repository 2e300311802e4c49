// Whether the server still answers. When it comes back as another process, the page opens its view again by itself.
const EVERY = 4000, words = element.querySelector('p');
let first = null, missed = 0;
function say(text) { words.textContent = text; words.hidden = !text; }
async function look() {
  if (document.hidden && !missed) return;
  try {
    const answer = await fetch('gradio_api/app_id', { cache: 'no-store' });
    if (!answer.ok) throw new Error(answer.status);
    const { app_id: now } = await answer.json();
    first ??= now;
    if (now !== first) {
      say('The server was started anew. This page opens its view again.');
      clearInterval(timer);
      setTimeout(() => location.reload(), 800);
    } else if (missed) { missed = 0; say(''); }
  } catch {
    missed += 1;
    if (missed > 1 || first === null) say('The server does not answer. What you see stays; the page tries again until it does.');
  }
}
const timer = setInterval(look, EVERY);
look();
