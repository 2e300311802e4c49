// A recipe.json, chosen here or let fall where pictures are let fall: it is text, read here and told as text.
const MOST = 65537; // letters; one more than the server reads, so that it can say so
const field = element.querySelector('input'), button = element.querySelector('button');
const tell = async (file) => trigger('recipe', { text: await file.slice(0, MOST).text() });
button.addEventListener('click', () => field.click());
field.addEventListener('change', () => {
  if (field.files.length) tell(field.files[0]);
  field.value = ''; // the same file may be chosen again
});
document.addEventListener('drop', (event) => {
  const file = event.dataTransfer?.files[0], place = event.target.closest?.('#drop');
  if (!place || !file?.name.toLowerCase().endsWith('.json')) return;
  event.preventDefault();
  event.stopPropagation();
  event.target.dispatchEvent(new Event('dragleave', { bubbles: true })); // Gradio's frame stops glowing
  tell(file);
}, true);
