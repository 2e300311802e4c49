// Gradio names its button for files in words of its own; who hears the page is told what the others read.
const named = new MutationObserver(nameButton);
function nameButton() {
  const button = document.querySelector('#drop button.upload-container'), words = button?.innerText.trim();
  if (words && button.getAttribute('aria-label') !== words) button.setAttribute('aria-label', words);
}
named.observe(document.querySelector('#drop') || document.body, { childList: true, subtree: true });
nameButton();
