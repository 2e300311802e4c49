// Gradio's own footer is out of sight; what it opens is opened from here.
element.addEventListener('click', (event) => {
  const opens = event.target.closest('[data-opens]')?.dataset.opens;
  if (opens) document.querySelector(`footer .${opens}`)?.click();
});
