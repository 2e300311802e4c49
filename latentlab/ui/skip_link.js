// Where Gradio names a base address, a link to a part of this page would open the page anew.
element.querySelector('.ll-skip').addEventListener('click', (event) => {
  event.preventDefault();
  document.querySelector('#tabs button[role=tab][aria-selected=true]').focus();
});
